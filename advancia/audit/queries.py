"""Reading the audit trail, newest first, by keyset."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select

from advancia.audit.models import AuditRecord
from advancia.core.db import Session


def records_of(
    session: Session,
    *,
    kind: str,
    id: int | str | UUID,  # noqa: A002 - as in `services.record`
    limit: int,
    before: int | None = None,
) -> Sequence[AuditRecord]:
    """What was done to one thing; `before` is the number of the last line of the page before."""
    of_thing = select(AuditRecord).where(AuditRecord.object_kind == kind, AuditRecord.object_id == str(id))
    return _page(session, of_thing, limit=limit, before=before)


def records_by(
    session: Session, *, actor_id: int, limit: int, before: int | None = None
) -> Sequence[AuditRecord]:
    """What one person did; `before` is the number of the last line of the page before."""
    by_person = select(AuditRecord).where(AuditRecord.actor_id == actor_id)
    return _page(session, by_person, limit=limit, before=before)


def _page(
    session: Session, chosen: Select[AuditRecord], *, limit: int, before: int | None
) -> Sequence[AuditRecord]:
    if before is not None:
        chosen = chosen.where(AuditRecord.id < before)
    return session.scalars(chosen.order_by(AuditRecord.id.desc()).limit(limit)).all()
