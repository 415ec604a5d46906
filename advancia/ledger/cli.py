"""Commands about the ledger: `flask ledger …`."""

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

from advancia.core.db import db, unit_of_work
from advancia.ledger import check, horizon, proofs, seals
from advancia.ledger.check import LedgerReport, Progress
from advancia.ledger.export_cli import export_command

ledger_cli = AppGroup("ledger", help="The double-entry ledger.")
ledger_cli.add_command(export_command)

COULD_NOT_TELL = 2


@ledger_cli.command("check")
@click.option("--full", is_flag=True, help="Compute everything again, from nothing, and verify the seals.")
@click.option(
    "--head", "heads", multiple=True, metavar="ID:HEAD", help="With --full: a seal that was noted elsewhere."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check_command(*, full: bool, heads: tuple[str, ...], as_json: bool) -> None:
    """Say whether the books agree with themselves: what came since the last check, or with --full all of them.

    The exit code is 0 when they do, 1 when anything differs, and 2 when it could not be told. An empty ledger is
    reported as empty.
    """
    keys = current_app.extensions["settings"].seal_keys
    noted = _noted(heads)
    if noted and not full:
        raise click.UsageError("--head goes with --full.")
    with _progress(is_quiet=as_json or not sys.stderr.isatty()) as progress:
        try:
            report = (
                check.run(db.session(), keys=keys, heads=noted, progress=progress)
                if full
                else check.run_quick(db.session(), keys=keys, progress=progress)
            )
        except horizon.HeldBack as trouble:
            click.echo(f"It cannot be told now: {trouble}", err=True)
            sys.exit(COULD_NOT_TELL)
    if full:
        _note(report)
    click.echo(_json(report) if as_json else _words(report))
    sys.exit(0 if report.is_right else 1)


@ledger_cli.command("seal")
def seal_command() -> None:
    """Seal what is final and not sealed yet, as the clock has it done every minute, and print the new heads."""
    try:
        for made in seals.seal(db.session(), current_app.extensions["settings"].seal_keys):
            click.echo(made.chained)
    except (horizon.HeldBack, seals.NoSealKey) as trouble:
        raise click.ClickException(str(trouble)) from None


def _note(report: LedgerReport) -> None:
    """Write down what was found where there is a place for it, which a copy that is only read is not."""
    try:
        with unit_of_work() as session:
            proofs.note(session, report)
    except DBAPIError as trouble:
        click.echo(f"It could not be written down: {type(trouble.orig).__name__}", err=True)


def _noted(heads: tuple[str, ...]) -> dict[int, str]:
    noted = {}
    for each in heads:
        number, _, head = each.partition(":")
        if not number.isdecimal() or not head:
            raise click.UsageError(
                f"{each!r} is no seal: give its id and head, as the log has them, like 7:5f3a…."
            )
        noted[int(number)] = head.lower()
    return noted


@contextmanager
def _progress(*, is_quiet: bool) -> Iterator[Progress | None]:
    """A bar on the terminal for each part of a long check, and one line for each that is done."""
    if is_quiet:
        yield None
        return
    bars: dict[str, Any] = {}

    def progress(part: str, done: int, of: int) -> None:
        if part not in bars:
            bars[part] = click.progressbar(length=of, label=f"{part:<16}", file=sys.stderr)
            bars[part].render_progress()
        bars[part].update(1)
        if done == of:
            bars[part].render_finish()

    yield progress


def _json(report: LedgerReport) -> str:
    return json.dumps(
        {
            "verdict": report.verdict,
            "full": report.is_full,
            "entries": report.entries,
            "accounts": report.accounts,
            "transactions": report.transactions,
            "seals": report.seals,
            "unsealed": report.unsealed,
            "head": report.head,
            "seconds": {part: round(each, 3) for part, each in report.seconds.items()},
            "differences": [{"check": each.check, "told": each.told} for each in report.differences],
        },
        indent=2,
    )


def _words(report: LedgerReport) -> str:
    new = "" if report.is_full else "new "
    read = (
        f"Read {report.entries:,} {new}entries, {report.accounts:,} accounts, {report.transactions:,}"
        f" {new}transactions, {report.seals:,} {new}seals."
    )
    verdict = {
        "proven": "Proven: every balance, chain and sum agrees."
        if report.is_full
        else "Proven: what came since the last check agrees. (--full reads everything again.)",
        "empty": "Empty: nothing to prove.",
        "wrong": "Wrong: these rows disagree (each check names 100 at most).",
    }[report.verdict]
    seal = (
        [f"The last seal is {report.head}; {report.unsealed:,} transactions wait for one."]
        if report.head
        else []
    )
    return "\n".join([read, verdict, *(f"  {each}" for each in report.differences), *seal])
