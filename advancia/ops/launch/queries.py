"""Runs of the launch check, as pages and commands show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select

from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.ops.launch.models import LaunchRun, RunState
from advancia.ops.launch.registry import Line, State

# The worst first, as a scorecard shows them.
ORDER: Final = (State.BLOCKER, State.UNKNOWN, State.WARNING, State.OK)
SHOWN: Final = 20


@dataclass(frozen=True)
class Run:
    """One run, with what it has found so far."""

    id: int
    state: str
    asked_by: int | None
    url: str
    begun_at: datetime
    finished_at: datetime | None
    checks: int
    failure: str | None
    lines: Sequence[Line]

    @property
    def is_open(self) -> bool:
        return self.state == RunState.OPEN

    @property
    def has_begun(self) -> bool:
        return self.checks > 0

    @property
    def version(self) -> str:
        """It changes whenever the page of the run does."""
        return f"{self.id}-{self.state}-{self.checks}-{len(self.lines)}"

    def of(self, state: State) -> list[Line]:
        return [line for line in self.lines if line.state is state]

    @property
    def scores(self) -> dict[State, int]:
        return scores(self.lines)

    @property
    def verdict(self) -> State:
        return verdict(self.lines)


def scores(lines: Sequence[Line]) -> dict[State, int]:
    """How many there are of each state."""
    return {state: sum(line.state is state for line in lines) for state in ORDER}


def verdict(lines: Sequence[Line]) -> State:
    """The worst of them. What could not be told is not fine, and stops nobody."""
    found = {line.state for line in lines}
    return next((state for state in ORDER if state in found), State.UNKNOWN)


def run(session: Session, run_id: int) -> Run:
    """Raises `NotFound`."""
    found = session.get(LaunchRun, run_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no run of that number.")
    return _run(found)


def runs(session: Session) -> list[Run]:
    """The last ones, the newest first."""
    return [
        _run(each) for each in session.scalars(select(LaunchRun).order_by(LaunchRun.id.desc()).limit(SHOWN))
    ]


def under_way(session: Session) -> Run | None:
    """The one that waits or runs."""
    found = session.scalars(select(LaunchRun).where(LaunchRun.state == RunState.OPEN)).one_or_none()
    return _run(found) if found else None


def _run(row: LaunchRun) -> Run:
    return Run(
        id=row.id,
        state=row.state,
        asked_by=row.asked_by,
        url=row.url,
        begun_at=row.begun_at,
        finished_at=row.finished_at,
        checks=row.checks,
        failure=row.failure,
        lines=[Line.from_json(each) for each in row.findings],
    )
