"""Commands about secrets: `flask secrets …`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from advancia.core.db import db
from advancia.core.encryption import EncryptedColumn, Keyring, NoFieldKey
from advancia.ops.secrets import rotation
from advancia.ops.secrets.bundle_cli import decrypt_command, encrypt_command
from advancia.ops.secrets.rotation import Progress, RotationReport

secrets_cli = AppGroup("secrets", help="Keys of stored secrets, and bundles of settings.")
secrets_cli.add_command(encrypt_command)
secrets_cli.add_command(decrypt_command)

SOMETHING_LEFT = 1
COULD_NOT = 2
MOST_NAMED = 20


@secrets_cli.command("rotate")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def rotate_command(*, as_json: bool) -> None:
    """Bring everything that is stored encrypted under the newest of FIELD_KEYS.

    Put the new key before the old one, restart every process, then run this; it may run beside them, be killed and be
    started again. The old key is needed until nothing is left under it.

    The exit code is 0 when nothing is left, 1 when something is, and 2 when it could not be done.
    """
    keyring: Keyring = current_app.extensions["keyring"]
    try:
        waiting = rotation.due(db.session(), keyring)
        db.session.rollback()
        with _progress(waiting, is_quiet=as_json or not sys.stderr.isatty()) as progress:
            report = rotation.rotate(keyring, progress=progress)
    except (NoFieldKey, DBAPIError) as trouble:
        click.echo(f"It could not be done: {getattr(trouble, 'orig', trouble)}", err=True)
        sys.exit(COULD_NOT)
    click.echo(_json(report, keyring) if as_json else _words(report, keyring))
    sys.exit(SOMETHING_LEFT if report.left else 0)


@contextmanager
def _progress(waiting: dict[EncryptedColumn, int], *, is_quiet: bool) -> Iterator[Progress | None]:
    if is_quiet:
        yield None
        return
    bar: Any = click.progressbar(length=sum(waiting.values()), label="Encrypting anew", file=sys.stderr)
    with bar:
        yield lambda _column, rows: bar.update(rows)


def _json(report: RotationReport, keyring: Keyring) -> str:
    return json.dumps(
        {
            "newest": report.newest,
            "rotated": report.rotated,
            "left": report.left,
            "unused": _unused(report, keyring),
            "columns": [
                {
                    "column": str(each.column),
                    "rotated": each.rotated,
                    "overtaken": each.overtaken,
                    "unreadable": each.unreadable,
                    "keys": each.keys,
                }
                for each in report.columns
            ],
        },
        indent=2,
    )


def _words(report: RotationReport, keyring: Keyring) -> str:
    values = "value was" if report.rotated == 1 else "values were"
    lines = [f"{report.rotated:,} {values} brought under the key {report.newest}."]
    for each in report.columns:
        if each.unreadable:
            named = ", ".join(each.unreadable[:MOST_NAMED]) + (" …" if each.unreadable[MOST_NAMED:] else "")
            lines.append(f"  {each.column}: {len(each.unreadable):,} cannot be read, in the rows {named}.")
        lines += [
            f"  {each.column}: {rows:,} left under the key {key}."
            for key, rows in sorted(each.keys.items())
            if key != report.newest
        ]
    lines.append(_advice(report, keyring))
    return "\n".join(lines)


def _advice(report: RotationReport, keyring: Keyring) -> str:
    if report.left:
        return (
            "Keep those keys. What cannot be read needs the key that it was written with; anything else was "
            "written meanwhile by a process that does not know the new key: restart it and run this again."
        )
    if unused := _unused(report, keyring):
        return f"Nothing is left. No value needs {', '.join(unused)} any more; backups from before today do."
    return "Nothing is left."


def _unused(report: RotationReport, keyring: Keyring) -> list[str]:
    return [name for name in keyring.names if name != report.newest and name not in report.keys_in_use]
