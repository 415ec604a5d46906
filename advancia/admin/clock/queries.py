"""How each line of the clock's table stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from advancia.core import runs
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.recurring import TABLE, Line
from advancia.core.runs import Run


@dataclass(frozen=True)
class LineRow:
    """A line with its last run, the one that has not ended, and when its next turn comes."""

    line: Line
    last: Run | None
    under_way: Run | None
    next_turn: datetime

    @property
    def job(self) -> str:
        return self.line.job.value


def lines(session: Session, now: datetime) -> Sequence[LineRow]:
    """All of them, in the order of the table."""
    return [_row(session, line, now) for line in TABLE]


def line(session: Session, job: str, now: datetime) -> LineRow:
    """Raises `NotFound`."""
    return _row(session, line_of(job), now)


def line_of(job: str) -> Line:
    """The line of the job of that name. Raises `NotFound`."""
    found = next((each for each in TABLE if each.job.value == job), None)
    if found is None:
        raise NotFound("There is no recurring work of that name.")
    return found


def _row(session: Session, line: Line, now: datetime) -> LineRow:
    found = runs.runs_of(session, line.job)
    return LineRow(line, found.parked or found.done, found.open, line.next_turn(now))
