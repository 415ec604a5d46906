"""What became of recurring work: the runs of each line of the clock's table, as the outbox has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, exists, select

from advancia.core import outbox
from advancia.core.db import Session
from advancia.core.errors import DomainError
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow


class StillRunning(DomainError):
    """Whoever asks for a run while another one has not ended would get nothing more."""

    def __init__(self) -> None:
        super().__init__("A run of it has not ended yet. Wait for that one.")


@dataclass(frozen=True)
class Run:
    """One run of recurring work. `seconds` is how long it was at work, when it ended well."""

    id: int
    kind: str
    put_at: datetime
    handed_at: datetime | None
    attempts: int
    last_error: str | None
    outcome: str | None
    seconds: float | None
    done_at: datetime | None
    parked_at: datetime | None

    @property
    def state(self) -> str:
        if self.done_at is not None:
            return "done"
        if self.parked_at is not None:
            return "parked"
        if self.handed_at is not None:
            return "running"
        return "failing" if self.last_error else "waiting"

    @property
    def is_open(self) -> bool:
        return self.done_at is None and self.parked_at is None


@dataclass(frozen=True)
class Runs:
    """Of one job: the last run that ended well, and of those that came after it the first open and the last parked."""

    done: Run | None
    open: Run | None
    parked: Run | None

    @property
    def last(self) -> Run | None:
        """What there is to tell first: what gave up, what ended, or else what has only been put."""
        return self.parked or self.done or self.open


_RUN: tuple[Any, ...] = (
    OutboxRow.id, OutboxRow.kind, OutboxRow.created_at, OutboxRow.handed_at, OutboxRow.attempts, OutboxRow.last_error,
    OutboxRow.outcome, OutboxRow.seconds, OutboxRow.done_at, OutboxRow.parked_at,
)  # fmt: skip
_IS_DONE = OutboxRow.done_at.is_not(None)
_IS_PARKED = OutboxRow.done_at.is_(None) & OutboxRow.parked_at.is_not(None)
_IS_OPEN = OutboxRow.done_at.is_(None) & OutboxRow.parked_at.is_(None)


def runs_of(session: Session, job: Job) -> Runs:
    """How a line stands; each answer is one step in an index."""
    runs = select(*_RUN).where(*_of(job)).limit(1)
    newest, oldest = OutboxRow.id.desc(), OutboxRow.id.asc()
    done = _first(session, runs.where(_IS_DONE).order_by(newest))
    later = OutboxRow.id > (done.id if done else 0)
    return Runs(
        done=done,
        open=_first(session, runs.where(_IS_OPEN, later).order_by(oldest)),
        parked=_first(session, runs.where(_IS_PARKED, later).order_by(newest)),
    )


def recent(session: Session, job: Job, *, limit: int) -> list[Run]:
    """The last runs of a line, the newest first."""
    chosen = select(*_RUN).where(*_of(job)).order_by(OutboxRow.id.desc()).limit(limit)
    return [Run(*row) for row in session.execute(chosen)]


def ask_for(session: Session, job: Job, *, request_id: UUID) -> bool:
    """Have a line run now, besides its turns; false when the same was asked before. Raises `StillRunning`."""
    key = f"{job.value}@asked:{request_id}"
    if session.scalar(select(exists().where(OutboxRow.unique_key == key))):
        return False
    if session.scalar(select(exists().where(*_of(job), _IS_OPEN))):
        raise StillRunning
    return outbox.put_once(session, job, unique_key=key)


def delete_done(session: Session, *, before: ColumnElement[datetime], kept: Iterable[Job]) -> int:
    """Delete work that was done by then, but for the last run of each of those lines; return how much."""
    last = [run.done.id for job in kept if (run := runs_of(session, job)).done is not None]
    gone = session.execute(
        delete(OutboxRow).where(OutboxRow.done_at < before, OutboxRow.id.not_in(last)).returning(OutboxRow.id)
    )
    return len(gone.all())


def _of(job: Job) -> tuple[ColumnElement[bool], ...]:
    return OutboxRow.kind == job.value, OutboxRow.unique_key.is_not(None)


def _first(session: Session, chosen: Select[*tuple[Any, ...]]) -> Run | None:
    row = session.execute(chosen).first()
    return None if row is None else Run(*row)
