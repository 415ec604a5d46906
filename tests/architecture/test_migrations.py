"""The migrations lead in one line from an empty database to what the models say."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from advancia.config import ROOT, sqlalchemy_url
from advancia.core.db import Model


def test_there_is_one_head():
    scripts = ScriptDirectory(str(ROOT / "migrations"))

    assert len(scripts.get_heads()) == 1


def test_a_database_migrated_from_empty_is_what_the_models_say(settings, app):
    engine = create_engine(sqlalchemy_url(settings.database_owner_url or ""))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        differences = compare_metadata(context, Model.metadata)
        head = context.get_current_revision()
    engine.dispose()

    assert [each for each in differences if not is_of_the_ledger(each)] == []
    assert head == ScriptDirectory(str(ROOT / "migrations")).get_current_head()


def is_of_the_ledger(difference: object) -> bool:
    return "ledger" in str(difference) or "alembic_version" in str(difference)
