"""What is stored encrypted is known: rotation finds every column of it, and nobody encrypts anywhere else."""

from __future__ import annotations

import ast

import pytest
from sqlalchemy import text

from advancia.config import ROOT
from advancia.core.db import Model, db
from advancia.core.encryption import EncryptedBytes, encrypted_columns

# Where ciphers may be spoken to, and what for. Whatever is stored in the database goes through a `Keyring`.
CIPHERS = {
    "advancia/core/encryption.py": "columns of the database",
    "advancia/ops/secrets/bundles.py": "files of settings",
    "advancia/web/typed.py": "a cookie, which nobody stores",
}


@pytest.fixture
def columns(app):
    return list(encrypted_columns())


def test_every_registered_column_exists_and_can_be_rotated(app, columns):
    assert columns
    with app.app_context():
        for each in columns:
            kind = db.session.scalar(
                text(
                    "SELECT data_type FROM information_schema.columns "
                    "WHERE table_schema = 'public' AND table_name = :t AND column_name = :c"
                ),
                {"t": each.table, "c": each.column},
            )
            may = db.session.scalar(
                text("SELECT has_column_privilege(current_user, :t, :c, 'SELECT, UPDATE')"),
                {"t": each.table, "c": each.column},
            )
            assert (str(each), kind, may) == (str(each), "bytea", True)
        db.session.rollback()


def test_each_table_with_an_encrypted_column_tells_its_rows_apart_by_one_key():
    for table in Model.metadata.tables.values():
        if any(isinstance(column.type, EncryptedBytes) for column in table.columns):
            assert len(table.primary_key.columns) == 1, table.name


def test_ciphers_are_spoken_to_in_known_places_only():
    guilty = {
        str(path.relative_to(ROOT))
        for folder in ("advancia", "worker")
        for path in (ROOT / folder).rglob("*.py")
        if any(module.startswith("cryptography") for module in imports_of(path))
    }

    assert guilty <= CIPHERS.keys()


def test_places_that_are_named_where_something_is_encrypted_are_registered(columns):
    """A literal place in a call of ours; `Keyring.encrypt` itself refuses any other while the product runs."""
    known = {(each.table, each.column) for each in columns}
    for path in (ROOT / "advancia").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                named = {each.arg: getattr(each.value, "value", None) for each in call.keywords}
                if call.func.attr in ("encrypt", "decrypt") and isinstance(named.get("table"), str):
                    assert (named["table"], named.get("column")) in known, path


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
