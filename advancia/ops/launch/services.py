"""Runs of the launch check: asked for, conducted, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from sqlalchemy import delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from advancia.config import Settings
from advancia.core.db import Session, unit_of_work
from advancia.core.errors import DomainError
from advancia.core.locks import Lock
from advancia.ops.launch.look import Look
from advancia.ops.launch.models import LaunchRun, RunState
from advancia.ops.launch.registry import Check, Line, checks

KEPT = 50  # runs
PATIENCE = timedelta(minutes=15)  # longer than any run takes: an open one has lost its process
LOST = "It came to no end: its process died, or its work was given up."

Progress = Callable[[Line], None]


class AlreadyRunning(DomainError):
    """Two at once would use up each other's tries."""

    def __init__(self) -> None:
        super().__init__("A launch check is running. Wait for its end, and look at what it found.")


class NoSuchCheck(DomainError):
    """Nobody has written that check."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no check {name}. There are: {', '.join(each.name for each in checks())}.")


def chosen(names: Sequence[str]) -> list[Check]:
    """The checks of these names, or all. Raises `NoSuchCheck`."""
    there = {each.name: each for each in checks()}
    for name in names:
        if name not in there:
            raise NoSuchCheck(name)
    return [check for name, check in there.items() if not names or name in names]


def open_run(session: Session, *, url: str, asked_by: int | None = None, is_alone: bool = False) -> int:
    """Begin a run and return its id. Raises `AlreadyRunning`; a run that has lost its process is closed first.

    Whoever holds `alone` knows that no other runs, whatever its row says.
    """
    has_no_process = true() if is_alone else LaunchRun.begun_at < func.now() - PATIENCE
    session.execute(
        update(LaunchRun)
        .where(LaunchRun.state == RunState.OPEN, has_no_process)
        .values(state=RunState.FAILED, finished_at=func.now(), failure=LOST)
    )
    run_id: int | None = session.scalar(
        insert(LaunchRun).values(url=url, asked_by=asked_by).on_conflict_do_nothing().returning(LaunchRun.id)
    )
    if run_id is None:
        raise AlreadyRunning
    _forget_old(session)
    return run_id


def conduct(
    look: Look, *, run_id: int, names: Sequence[str] = (), progress: Progress | None = None
) -> list[Line]:
    """Run the checks and keep what each finds as soon as it is found.

    The caller holds `alone`, and no transaction.
    """
    wanted = chosen(names)
    with unit_of_work() as session:
        _note(session, run_id, checks=len(wanted), findings=[])
    lines: list[Line] = []
    for each in wanted:
        lines.append(_looked_at(each, look))
        if progress is not None:
            progress(lines[-1])
        with unit_of_work() as session:
            _note(session, run_id, findings=[line.as_json() for line in lines])
    return lines


def finish(session: Session, run_id: int) -> None:
    _note(session, run_id, state=RunState.DONE, finished_at=func.now())


def fail(session: Session, run_id: int, why: str) -> None:
    _note(session, run_id, state=RunState.FAILED, finished_at=func.now(), failure=why)


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Be the one launch check that runs. Raises `AlreadyRunning`. The lock goes with the process that holds it."""
    with psycopg.connect(settings.database_url, autocommit=True) as guard:
        row = guard.execute("SELECT pg_try_advisory_lock(%s)", (Lock.LAUNCH_CHECK,)).fetchone()
        if not row or not row[0]:
            raise AlreadyRunning
        yield


def _looked_at(check: Check, look: Look) -> Line:
    began = time.monotonic()
    finding = check.find(look)
    return Line(
        name=check.name,
        words=check.words,
        state=finding.state,
        evidence=finding.evidence,
        remedy=finding.remedy,
        seconds=round(time.monotonic() - began, 2),
    )


def _note(session: Session, run_id: int, **values: object) -> None:
    session.execute(update(LaunchRun).where(LaunchRun.id == run_id).values(**values))


def _forget_old(session: Session) -> None:
    kept = select(LaunchRun.id).order_by(LaunchRun.id.desc()).limit(KEPT)
    session.execute(delete(LaunchRun).where(LaunchRun.id.not_in(kept)))
