"""Letters that a restored backup holds as not sent yet, though they were, most likely, soon after it was made.

They are held back until somebody decides. Those about the security of an account go out again all the same: a warning
that comes twice does no harm, and one that never comes does; they are the mails with a secret, such as a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from sqlalchemy import ColumnElement, func, select, update

from advancia import audit
from advancia.core import outbox
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow

WHY = "Held back: it waited when the restored backup was made, and was sent since, most likely."
DROPPED = "Dropped after a restore: it was sent before."
# For psql, in the transaction of a restore.
HOLD = sql.SQL(
    "update outbox set parked_at = now(), handed_at = null, last_error = {why} where kind = {kind}"
    " and done_at is null and parked_at is null and secret is null and encrypted_secret is null"
).format(why=WHY, kind=Job.SEND_EMAIL.value)


@dataclass(frozen=True)
class Letter:
    """One that is held back: which mail it is, and for whom."""

    id: int
    template: str
    to: str
    written_at: datetime


def held(session: Session) -> list[Letter]:
    """Those that wait for somebody's word, the oldest first."""
    rows = session.execute(
        select(OutboxRow.id, OutboxRow.payload, OutboxRow.created_at)
        .where(*are_held())
        .order_by(OutboxRow.id)
    )
    return [
        Letter(each.id, each.payload["template"], _reader(each.payload), each.created_at) for each in rows
    ]


def are_held() -> tuple[ColumnElement[bool], ...]:
    return (
        OutboxRow.parked_at.is_not(None),
        OutboxRow.done_at.is_(None),
        OutboxRow.kind == Job.SEND_EMAIL.value,
        OutboxRow.last_error == WHY,
    )


def send(session: Session, *, ids: Sequence[int], reason: str) -> int:
    """Have those that are held among `ids` sent after all; return how many. The caller's unit of work commits."""
    chosen = _locked(session, ids)
    for letter_id in chosen:
        outbox.send_again(session, letter_id)
    _note(session, "letter.sent", chosen, reason)
    return len(chosen)


def drop(session: Session, *, ids: Sequence[int], reason: str) -> int:
    """End those that are held among `ids` without sending them; return how many. The caller's unit of work commits."""
    chosen = _locked(session, ids)
    session.execute(
        update(OutboxRow)
        .where(OutboxRow.id.in_(chosen))
        .values(done_at=func.now(), parked_at=None, outcome=DROPPED)
    )
    _note(session, "letter.dropped", chosen, reason)
    return len(chosen)


def _locked(session: Session, ids: Sequence[int]) -> Sequence[int]:
    chosen = select(OutboxRow.id).where(*are_held(), OutboxRow.id.in_(ids)).order_by(OutboxRow.id)
    return session.scalars(chosen.with_for_update()).all()


def _note(session: Session, action: str, ids: Sequence[int], reason: str) -> None:
    for letter_id in ids:
        audit.record_of_system(session, action=action, kind="work", id=letter_id, reason=reason)


def _reader(payload: dict[str, Any]) -> str:
    return str(payload.get("to") or f"person {payload.get('user_id')}")
