"""Pieces of background work, newest first. What only the job may see is never read here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from advancia.core.db import Session
from advancia.core.outbox import OutboxRow

STATES: dict[str, tuple[ColumnElement[bool], ...]] = {
    "waiting": (OutboxRow.done_at.is_(None), OutboxRow.parked_at.is_(None)),
    "done": (OutboxRow.done_at.is_not(None),),
    "parked": (OutboxRow.parked_at.is_not(None), OutboxRow.done_at.is_(None)),
}


@dataclass(frozen=True)
class WorkRow:
    """One piece of work as the list shows it."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int
    last_error: str | None
    outcome: str | None
    created_at: datetime
    available_at: datetime
    done_at: datetime | None
    parked_at: datetime | None

    @property
    def state(self) -> str:
        if self.done_at is not None:
            return "done"
        return "parked" if self.parked_at is not None else "waiting"

    @property
    def came_of_it(self) -> str:
        """What it had to say when it was done, and before that its last trouble."""
        return (self.outcome if self.state == "done" else self.last_error) or ""

    @property
    def about(self) -> str:
        """What it is told, in short: the template of a mail, the ids of things."""
        told = {**self.payload, **(self.payload.get("facts") or {})}
        shown = {name: value for name, value in told.items() if name != "facts" and value is not None}
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())


_ROW = (
    OutboxRow.id, OutboxRow.kind, OutboxRow.payload, OutboxRow.attempts, OutboxRow.last_error, OutboxRow.outcome,
    OutboxRow.created_at, OutboxRow.available_at, OutboxRow.done_at, OutboxRow.parked_at,
)  # fmt: skip


def work(
    session: Session, *, kind: str | None, state: str | None, before: int | None, limit: int
) -> list[WorkRow]:
    """A page of it, below the number `before`."""
    chosen = select(*_ROW).where(*STATES.get(state or "", ()))
    if kind:
        chosen = chosen.where(OutboxRow.kind == kind)
    if before is not None:
        chosen = chosen.where(OutboxRow.id < before)
    return [WorkRow(*row) for row in session.execute(chosen.order_by(OutboxRow.id.desc()).limit(limit))]
