"""The command for letters that a restore holds back: `flask backup letters`."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from advancia.core.db import db, unit_of_work
from advancia.ops.backups import letters
from advancia.ops.backups.letters import Letter

REFUSED = 2
WHAT_NEXT = (
    "Send them by --send or end them by --drop, with --reason; --only NUMBER, once or more, chooses some."
)


@click.command("letters")
@click.option("--send", "does", flag_value="send", help="Have them sent after all.")
@click.option("--drop", "does", flag_value="drop", help="End them without sending them.")
@click.option("--only", "ids", type=int, multiple=True, metavar="NUMBER", help="This one; may be repeated.")
@click.option("--reason", help="Why; it goes into the audit trail for good.")
@with_appcontext
def letters_command(*, does: str | None, ids: tuple[int, ...], reason: str | None) -> None:
    """Show the letters that a restore holds back, and decide about them.

    They waited when the backup was made, so most of them were sent soon after. Ends with 0, and with 2 when a reason is
    missing.
    """
    if does and not (reason or "").strip():
        click.echo("Say why, with --reason.", err=True)
        sys.exit(REFUSED)
    found = letters.held(db.session())
    db.session.rollback()
    chosen = [each for each in found if not ids or each.id in ids]
    if does is None or not chosen:
        click.echo("\n".join([*map(_line, chosen), WHAT_NEXT]) if chosen else "No letter is held back.")
        return
    decide = letters.send if does == "send" else letters.drop
    with unit_of_work() as session:
        count = decide(session, ids=[each.id for each in chosen], reason=reason or "")
    done = "put back to be sent" if does == "send" else "dropped"
    click.echo(f"{count} {'letter' if count == 1 else 'letters'} {done}.")


def _line(letter: Letter) -> str:
    return f"{letter.id:>8}  {letter.written_at:%Y-%m-%d %H:%M}  {letter.template:<20} {letter.to}"
