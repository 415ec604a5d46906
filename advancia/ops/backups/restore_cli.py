"""The command that replaces the product's database by a backup: `flask backup restore`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from advancia.ops.backups import restore
from advancia.ops.backups.errors import BackupTrouble
from advancia.ops.backups.keys import read_identities
from advancia.ops.backups.proof_cli import IDENTITY_FILE

NOT_RIGHT, REFUSED = 1, 2


@click.command("restore")
@click.argument("name")
@IDENTITY_FILE
@click.option(
    "--yes-replace", "typed", metavar="DATABASE", help="The database's name, instead of being asked for it."
)
@with_appcontext
def restore_command(*, name: str, identity_file: Path | None, typed: str | None) -> None:
    """Replace everything in the database by the backup NAME, while the product runs.

    It is proven first; money is paused, and moves again once the books have proven; a safety backup leads back. Ends
    with 0 when that is done, with 1 when what is there now does not prove, and with 2 when nothing was replaced.
    """
    settings, keyring = current_app.extensions["settings"], current_app.extensions["keyring"]
    wanted = restore.database_name(settings)
    if (typed or _asked(wanted)) != wanted:
        click.echo("That is not the name of the database. Nothing was changed.", err=True)
        sys.exit(REFUSED)
    try:
        identities = read_identities(identity_file) if identity_file else None
        done = restore.restore(settings, keyring, name=name, identities=identities, say=click.echo)
    except restore.NotRight as trouble:
        click.echo(str(trouble), err=True)
        sys.exit(NOT_RIGHT)
    except BackupTrouble as trouble:
        click.echo(str(trouble), err=True)
        sys.exit(REFUSED)
    click.echo(
        f"Restored {done.backup} in {done.seconds:.0f} s; {done.entries:,} entries prove. "
        f"What was there before is in {done.safety}."
    )


def _asked(wanted: str) -> str:
    click.echo(
        "Everything in the database is replaced. What came since the backup is then in the safety backup alone."
    )
    asked: str = click.prompt(f"Type the name of the database ({wanted}) to go on")
    return asked.strip()
