"""The launch check as a command: `flask launch-check`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import click
import psycopg
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from advancia.core.db import unit_of_work
from advancia.ops.launch import queries, services
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Line, State
from advancia.ops.launch.services import AlreadyRunning, NoSuchCheck

BLOCKED, COULD_NOT, WARNED = 1, 2, 3
EXIT: Final = {State.BLOCKER: BLOCKED, State.UNKNOWN: WARNED, State.WARNING: WARNED, State.OK: 0}
MARKS: Final = {State.BLOCKER: "BLOCKER", State.UNKNOWN: "unknown", State.WARNING: "warning", State.OK: "ok"}


@click.command("launch-check")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--only", "names", multiple=True, metavar="NAME", help="Run this check alone; may be repeated.")
@click.option("--url", metavar="PUBLIC_URL", help="Look from outside at this address instead of PUBLIC_URL.")
@with_appcontext
def launch_check(*, as_json: bool, names: tuple[str, ...], url: str | None) -> None:
    """Look at all that has to be so before customers come, each with its evidence and its remedy.

    It signs two canaries up and in over the network, has the providers send a test event, and tries ten wrong
    passwords at an address that nobody has; all of it is undone. The exit code is 0 when all is fine, 1 when something
    keeps the product from going live, 3 when there are only warnings or things that could not be told, and 2 when the
    check could not be run.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the checks need it whole
    look = Look(app=app, url=(url or app.extensions["settings"].public_url).rstrip("/"))
    try:
        lines = _conducted(look, names, is_quiet=as_json)
    except (AlreadyRunning, NoSuchCheck) as refusal:
        click.echo(str(refusal), err=True)
        sys.exit(COULD_NOT)
    except (psycopg.OperationalError, DBAPIError) as trouble:
        click.echo(
            f"The database does not answer, so nothing could be looked at: {_told_by(trouble)}", err=True
        )
        sys.exit(COULD_NOT)
    click.echo(_json(look, lines) if as_json else _score(lines))
    sys.exit(EXIT[queries.verdict(lines)])


def _conducted(look: Look, names: Sequence[str], *, is_quiet: bool) -> list[Line]:
    services.chosen(names)
    with services.alone(look.settings):
        with unit_of_work() as session:
            run_id = services.open_run(session, url=look.url, is_alone=True)
        try:
            lines = services.conduct(look, run_id=run_id, names=names, progress=None if is_quiet else _tell)
        except BaseException as end:
            with suppress(DBAPIError), unit_of_work() as session:
                services.fail(session, run_id, f"It was broken off: {type(end).__name__}.")
            raise
        with unit_of_work() as session:
            services.finish(session, run_id)
    return lines


def _told_by(trouble: Exception) -> str:
    """What the driver says, without the statement that it was asked for."""
    return str(getattr(trouble, "orig", trouble)).strip()


def _tell(line: Line) -> None:
    click.echo(f"{MARKS[line.state]:<8} {line.words}: {line.evidence}")
    if line.remedy:
        click.echo(f"         {line.name}: {line.remedy}")


def _score(lines: Sequence[Line]) -> str:
    scores = queries.scores(lines)
    told = (
        f"{scores[State.BLOCKER]} keep it from going live, {scores[State.WARNING]} are warnings, "
        f"{scores[State.UNKNOWN]} could not be told, {scores[State.OK]} are fine."
    )
    return f"\n{told}"


def _json(look: Look, lines: Sequence[Line]) -> str:
    scores = {state.value: number for state, number in queries.scores(lines).items()}
    found = [line.as_json() for line in lines]
    return json.dumps(
        {"url": look.url, "verdict": queries.verdict(lines), "scores": scores, "checks": found}, indent=2
    )
