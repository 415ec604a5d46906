"""What waits for a second person, and how what waited was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import aliased

from advancia.admin.approvals.models import Approval
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.identity.models import User

LAST_MOMENT = 250_000_000_000_000_000  # microseconds: what a date can hold
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_asker, _decider = aliased(User), aliased(User)


@dataclass(frozen=True)
class Shown:
    """An approval with the names of its people."""

    id: UUID
    kind: str
    subject: str
    terms: dict[str, Any]
    reason: str
    state: str
    asked_by: int
    asked_at: datetime
    asker: str
    decided_by: int | None
    decided_at: datetime | None
    decider: str | None
    decision: str | None

    @property
    def cursor(self) -> int:
        """Its place in the list: when it was asked for, in microseconds."""
        return int(self.asked_at.timestamp()) * 1_000_000 + self.asked_at.microsecond


def open_count(session: Session) -> int:
    """How much waits."""
    return session.scalar(select(func.count()).select_from(Approval).where(Approval.state == "open")) or 0


def approvals(session: Session, *, state: str | None, before: int | None, limit: int) -> Sequence[Shown]:
    """Those in that state (all, without one), the newest first, behind the cursor `before`."""
    chosen = _all()
    if state is not None:
        chosen = chosen.where(Approval.state == state)
    if before is not None:
        chosen = chosen.where(Approval.asked_at < _EPOCH + timedelta(microseconds=min(before, LAST_MOMENT)))
    return [_shown(row) for row in session.execute(chosen.order_by(Approval.asked_at.desc()).limit(limit))]


def approval(session: Session, approval_id: UUID) -> Shown:
    """Raises `NotFound`."""
    row = session.execute(_all().where(Approval.id == approval_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such request.")
    return _shown(row)


def open_about(session: Session, *, kind: str, subject: str) -> UUID | None:
    """The request about that thing which waits."""
    found: UUID | None = session.scalar(
        select(Approval.id).where(
            Approval.kind == kind, Approval.subject == subject, Approval.state == "open"
        )
    )
    return found


def _all() -> Select[Approval, str, str]:
    return (
        select(Approval, _asker.name.label("asker"), _decider.name.label("decider"))
        .join(_asker, _asker.id == Approval.asked_by)
        .outerjoin(_decider, _decider.id == Approval.decided_by)
    )


def _shown(row: Row[Approval, str, str]) -> Shown:
    found: Approval = row[0]
    return Shown(
        id=found.id,
        kind=found.kind,
        subject=found.subject,
        terms=found.terms,
        reason=found.reason,
        state=found.state,
        asked_by=found.asked_by,
        asked_at=found.asked_at,
        asker=row.asker,
        decided_by=found.decided_by,
        decided_at=found.decided_at,
        decider=row.decider,
        decision=found.decision,
    )
