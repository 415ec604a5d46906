"""Writing the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from advancia.audit.models import AuditRecord
from advancia.core import context
from advancia.core.context import Actor
from advancia.core.db import Session

SYSTEM = "system"
STRANGER = "stranger"


def record(
    session: Session,
    actor: Actor,
    *,
    action: str,
    kind: str,
    id: int | str | UUID,  # noqa: A002 - it is the thing's id, and is always named
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> int:
    """Write down that `actor` did `action` to the thing of that `kind` and `id`; return the line's number.

    `before` and `after` are what the change was about, as plain JSON values: no secrets, since a line can
    never be removed. The caller's unit of work commits the line together with the change, or neither.
    """
    return _write(
        session,
        actor_id=actor.user_id,
        role=actor.role,
        action=action,
        object_kind=kind,
        object_id=str(id),
        before=before,
        after=after,
        address=actor.address,
        reason=reason,
        request_id=actor.request_id,
    )


def record_of_system(
    session: Session,
    *,
    action: str,
    kind: str,
    id: int | str | UUID,  # noqa: A002 - as above
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> int:
    """As `record`, for what the product did of its own accord, such as a job that closes what has expired."""
    return _write(
        session,
        actor_id=None,
        role=SYSTEM,
        action=action,
        object_kind=kind,
        object_id=str(id),
        before=before,
        after=after,
        address=None,
        reason=reason,
        request_id=context.request_id.get(),
    )


def record_of_stranger(
    session: Session,
    *,
    address: str | None,
    action: str,
    kind: str,
    id: int | str | UUID,  # noqa: A002 - as above
    after: Mapping[str, Any] | None = None,
) -> int:
    """As `record`, for what somebody did who has not proved who they are, such as a failed sign-in."""
    return _write(
        session,
        actor_id=None,
        role=STRANGER,
        action=action,
        object_kind=kind,
        object_id=str(id),
        before=None,
        after=after,
        address=address,
        reason=None,
        request_id=context.request_id.get(),
    )


def _write(session: Session, **values: Any) -> int:
    number: int = session.execute(insert(AuditRecord).values(**values).returning(AuditRecord.id)).scalar_one()
    return number
