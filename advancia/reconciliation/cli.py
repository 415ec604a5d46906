"""The command `flask reconcile`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from advancia.core import log
from advancia.core.db import db, unit_of_work
from advancia.reconciliation import queries, runner, runs
from advancia.reconciliation.errors import AlreadyRunning
from advancia.reconciliation.found import Outside
from advancia.reconciliation.runs import Window
from advancia.reconciliation.shown import DifferenceRow, Shown, Wanted
from advancia.reconciliation.sides import sides_of

CODES = {"matched": 0, "differs": 1}
COULD_NOT_TELL = 2

_log = log.logger(__name__)
WHAT_TO_DO = "See docs/operations.md for what to do."


@click.command("reconcile")
@click.option("--provider", help="Compare the books of this provider only; ours are looked at as always.")
@click.option(
    "--window",
    metavar="FROM..UPTO",
    help="Days of the provider's books to compare, the last one included, like 2026-11-01..2026-11-30.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_appcontext
def reconcile_command(*, provider: str | None, window: str | None, as_json: bool) -> None:
    """Hold the books against themselves and against the providers'.

    The exit code is 0 when everything matches, 1 when something differs, and 2 for an alarm (something could not be
    compared) or a failure. A run that was broken off is gone on with, unless it was about something else.
    """
    asked = _window(window) if window else None
    outsides = sides_of(current_app)
    if provider and provider not in {each.provider for each in outsides}:
        known = ", ".join(each.provider for each in outsides) or "none"
        raise click.UsageError(f"There is no provider {provider!r} here; set up: {known}.")
    try:
        run_id = _run(provider, asked)
        _go_on(run_id, outsides)
    except AlreadyRunning as refusal:
        click.echo(str(refusal), err=True)
        sys.exit(COULD_NOT_TELL)
    shown = queries.run(db.session(), run_id)
    click.echo(json.dumps(_told(shown), indent=2) if as_json else _words(shown))
    sys.exit(CODES.get(shown.state, COULD_NOT_TELL))


def _run(provider: str | None, asked: Window | None) -> int:
    """The run to be done: the one that was broken off if it is the one asked for, else a new one."""
    with runs.only_one(db.engine), unit_of_work() as session:
        broken_off = runs.take_up(session)
        if broken_off is not None and asked is None and provider is None:
            return broken_off
        if broken_off is not None:
            runs.fail(session, broken_off, "It was broken off, and another one was asked for.")
        window = asked or runs.usual_window(session)
        return runs.begin(session, kind="asked", window=window, provider=provider)


def _go_on(run_id: int, outsides: list[Outside]) -> None:
    """Do the run. An error of ours or of the database is its end, and shown below as such."""
    keys = current_app.extensions["settings"].seal_keys
    try:
        runner.go_on(db.engine, run_id, seal_keys=keys, outsides=outsides)
    except AlreadyRunning:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the run's page and the exit code say so
        _log.exception("reconciliation_failed", run=run_id)
        db.session.rollback()
        with unit_of_work() as session:
            runs.fail(session, run_id, f"{type(error).__name__}: {error}")


def _window(text: str) -> Window:
    begins, dots, ends = text.partition("..")
    try:
        first, last = date.fromisoformat(begins), date.fromisoformat(ends)
    except ValueError:
        dots = ""
        first = last = date.min
    if not dots or first > last:
        raise click.UsageError(f"{text!r} is no window: write two days, like 2026-11-01..2026-11-30.")
    return Window(_midnight(first), _midnight(last + timedelta(days=1)))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _told(shown: Shown) -> dict[str, Any]:
    return {
        "run": shown.id,
        "verdict": shown.state,
        "window": [shown.window_from.isoformat(), shown.window_upto.isoformat()],
        "provider": shown.provider,
        "open": shown.open,
        "in_flight": shown.timing,
        "in_flight_for_more_than_a_day": shown.late,
        "resolved": shown.resolved,
        "passed": shown.passed,
        "alarms": list(shown.alarms),
        "failure": shown.failure,
        "checks": [asdict(each) for each in shown.checks],
        "differences": [_told_of(each) for each in _differences(shown)],
    }


def _told_of(one: DifferenceRow) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in ("id", "check", "kind", "provider", "words", "state")}
    return {**told, "ours": one.our_ref, "theirs": one.their_ref}


def _differences(shown: Shown) -> list[DifferenceRow]:
    return queries.differences(db.session(), Wanted(run_id=shown.id), limit=queries.MOST_TOLD)


def _words(shown: Shown) -> str:
    lines = [f"Run {shown.id}, {shown.window_from:%Y-%m-%d %H:%M} to {shown.window_upto:%Y-%m-%d %H:%M} UTC"]
    for each in shown.checks:
        of = f" ({each.provider})" if each.provider else ""
        lines.append(f"  {each.words + of:<64} {each.compared:>10,} compared {each.differing:>6,} differ")
    lines += [f"  ! {each}" for each in shown.alarms]
    lines += [f"  ~ {each}" for each in shown.remarks]
    for one in _differences(shown):
        named = " / ".join(filter(None, (one.our_ref, one.their_ref)))
        lines.append(f"  - #{one.id} {one.kind_words}: {one.words} {named}")
    lines.append(shown.verdict_words)
    if shown.state == "differs":
        lines.append(WHAT_TO_DO)
    return "\n".join(lines)
