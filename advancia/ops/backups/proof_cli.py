"""The command that proves a backup: `flask backup prove`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from advancia.ops.backups import proof
from advancia.ops.backups.errors import BackupTrouble
from advancia.ops.backups.keys import read_identities
from advancia.ops.backups.proof import Finding, Proof

FAILED, COULD_NOT_BEGIN = 1, 2
MARKS = {True: "right", False: "WRONG", None: "-"}
IDENTITY_FILE = click.option(
    "--identity-file",
    type=click.Path(path_type=Path),
    help="The owner's secret key, which opens backups that are not the newest.",
)


@click.command("prove")
@click.argument("name", required=False)
@IDENTITY_FILE
@click.option("--json", "as_json", is_flag=True, help="Print the proof as JSON.")
@with_appcontext
def prove_command(*, name: str | None, identity_file: Path | None, as_json: bool) -> None:
    """Restore a backup beside the product, the newest without NAME, and find everything in it again.

    Ends with 0 when it is proven, with 1 when it is not, saying why, and with 2 when it could not begin.
    """
    settings, keyring = current_app.extensions["settings"], current_app.extensions["keyring"]
    try:
        found = proof.prove(
            settings,
            keyring,
            name=name,
            identities=read_identities(identity_file) if identity_file else None,
            progress=None if as_json else say,
        )
    except BackupTrouble as trouble:
        click.echo(str(trouble), err=True)
        sys.exit(COULD_NOT_BEGIN)
    click.echo(json.dumps(asdict(found), default=str, indent=2) if as_json else verdict(found))
    sys.exit(0 if found.passed else FAILED)


def say(finding: Finding) -> None:
    """One line for a step."""
    click.echo(f"{MARKS[finding.ok]:>5}  {finding.name:<32} {finding.seconds:5.1f} s  {finding.words}")


def verdict(found: Proof) -> str:
    """What came of it, in a line."""
    seconds = sum(each.seconds for each in found.findings)
    if found.passed:
        times = f"Restored in {found.restore_seconds:.1f} s, all in {seconds:.1f} s."
        return f"The backup {found.backup} is proven. {times}"
    return f"The backup {found.backup} is NOT proven. {found.reason}"
