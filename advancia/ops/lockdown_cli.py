"""Commands that pause and release money: `flask lockdown …`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from advancia.core.db import db
from advancia.ledger.freezing import StillPosting
from advancia.ops import lockdown

IS_ON = 1

lockdown_cli = AppGroup("lockdown", help="Pausing all money.")
REASON = click.option("--reason", required=True, help="Why; it goes into the audit trail for good.")


@lockdown_cli.command("on")
@REASON
def on(*, reason: str) -> None:
    """Pause all money: customers' pages close, money work waits, and the ledger refuses. Repeatable."""
    try:
        lockdown.begin(reason=reason)
    except StillPosting as trouble:
        raise click.ClickException(str(trouble)) from None
    click.echo("Money is paused. Release it with: flask --app wsgi lockdown off --reason …")


@lockdown_cli.command("off")
@REASON
def off(*, reason: str) -> None:
    """Let money move again. Repeatable."""
    was_on = lockdown.lift(reason=reason)
    click.echo("Money moves again." if was_on else "Money was not paused.")


@lockdown_cli.command("status")
def status() -> None:
    """Say whether money is paused. Ends with 0 when it moves, with 1 when it is paused."""
    found = lockdown.state(db.session())
    if found.lockdown is None and not found.is_frozen:
        click.echo("Money moves.")
        return
    if found.lockdown is not None:
        click.echo(
            f"Money is paused since {found.lockdown.since:%d %B %Y, %H:%M} UTC: {found.lockdown.reason}"
        )
    if found.is_half:
        click.echo(
            "It was switched by half only. Finish with: flask --app wsgi lockdown on (or off) --reason …"
        )
    sys.exit(IS_ON)
