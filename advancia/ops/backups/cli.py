"""Commands about backups: `flask backup …`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from advancia.core.db import db
from advancia.ops.backups import keys, prune, queries
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.errors import BackupFailed, BackupTrouble
from advancia.ops.backups.letters_cli import letters_command
from advancia.ops.backups.models import State, Why
from advancia.ops.backups.proof_cli import prove_command
from advancia.ops.backups.queries import BackupRow
from advancia.ops.backups.restore_cli import restore_command
from advancia.ops.backups.words import size_words
from advancia.ops.dev.home import write_private

FAILED, COULD_NOT_BEGIN = 1, 2
NONE_THERE = 1
SHOWN = 50

backup_cli = AppGroup("backup", help="Backups of the database: make, list, prove, restore, prune.")
backup_cli.add_command(prove_command)
backup_cli.add_command(restore_command)
backup_cli.add_command(letters_command)


@backup_cli.command("create")
@click.option("--json", "as_json", is_flag=True, help="Print the backup as JSON.")
def create_command(*, as_json: bool) -> None:
    """Make a backup now. It may run beside the product.

    Ends with 0 when it is done, with 1 when it was begun and came to nothing, and with 2 when it could not begin:
    another one is being made, or a setting is missing.
    """
    settings, keyring = current_app.extensions["settings"], current_app.extensions["keyring"]
    try:
        made = create_backup(settings, keyring, why=Why.ASKED)
    except BackupTrouble as trouble:
        click.echo(str(trouble), err=True)
        sys.exit(FAILED if isinstance(trouble, BackupFailed) else COULD_NOT_BEGIN)
    row = queries.row_of(db.session(), made.id)
    click.echo(json.dumps(row.as_json(), indent=2) if as_json else _made_words(row))


@backup_cli.command("list")
@click.option(
    "--all", "show_all", is_flag=True, help="Those that failed or were pruned as well, and older ones."
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_command(*, show_all: bool, as_json: bool) -> None:
    """Show the backups that there are, the newest first, and which of them are proven.

    Ends with 0, and with 1 when there is none.
    """
    rows = queries.backups(db.session(), limit=10_000 if show_all else 1000)
    if not show_all:
        rows = [row for row in rows if row.state == State.DONE or row.is_under_way][:SHOWN]
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], indent=2))
    elif rows:
        click.echo("\n".join(_line(row) for row in rows))
    else:
        click.echo("There is no backup yet. Make one with: flask --app wsgi backup create")
    sys.exit(0 if any(row.state == State.DONE for row in rows) else NONE_THERE)


@backup_cli.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would be taken away, and leave it.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def prune_command(*, dry_run: bool, as_json: bool) -> None:
    """Take away backups older than 30 days; the newest 14 and the one that was proven last always stay.

    Ends with 0, also when there was nothing to take away, and with 2 when it could not be done.
    """
    try:
        done = prune.prune(current_app.extensions["settings"], dry_run=dry_run)
    except BackupTrouble as trouble:
        click.echo(str(trouble), err=True)
        sys.exit(COULD_NOT_BEGIN)
    if as_json:
        told = {"pruned": done.names, "left": done.left, "kept": done.kept, "dry_run": dry_run}
        click.echo(json.dumps(told, indent=2))
        return
    for name in done.names:
        click.echo(name)
    click.echo(f"Nothing was taken away. {done.words}" if dry_run else done.words)


@click.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def keygen_command(*, file: Path) -> None:
    """Make the key pair of an owner: the secret half goes into FILE, the public half is printed.

    Run it where the secret half is to stay, which is not the server, and keep two copies of FILE: without it nobody can
    open an older backup. FILE is what age and age-keygen understand too. It needs no settings and no database.
    """
    if file.exists():
        raise click.ClickException(
            f"{file} is there already: a lost key cannot be made again, so it is left alone."
        )
    identity = keys.new_identity()
    public = str(identity.to_public())
    try:
        write_private(file, f"# public key: {public}\n{identity}\n")
    except OSError as trouble:
        raise click.ClickException(f"{file} cannot be written: {trouble.strerror}.") from None
    click.echo(f"The secret half is in {file}. Put this into BACKUP_RECIPIENTS:", err=True)
    click.echo(public)


backup_cli.add_command(keygen_command)


def _made_words(row: BackupRow) -> str:
    seconds = row.seconds or 0.0
    return (
        f"The backup {row.name} is done: {size_words(row.stored_bytes)} in {seconds:.1f} s, in {row.target}.\n"
        f"Prove it with: flask --app wsgi backup prove {row.name}"
    )


def _line(row: BackupRow) -> str:
    proven = f"proven {row.proven_at:%Y-%m-%d %H:%M}" if row.proven_at else "not proven"
    told = {State.DONE: proven, State.FAILED: row.failure or ""}.get(State(row.state), "")
    return f"{row.name}  {row.state:<8} {row.why:<7} {size_words(row.stored_bytes):>12}  {told}".rstrip()
