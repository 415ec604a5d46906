"""What somebody was refused goes into the audit trail, and cannot be used to flood it.

The log has every denial. Of these the trail gets one in ten minutes for the same page, and ten in an hour for a person.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from advancia import audit
from advancia.audit import AuditRecord
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session, bookkeeping
from advancia.core.permissions import Permission

ACTION = "access.denied"
AGAIN_AFTER = timedelta(minutes=10)
COUNTED_FOR = timedelta(hours=1)
IN_AN_HOUR = 10
LOOKED_AT = 200  # of the person's last lines
LONGEST_PATH = 200


def note(actor: Actor, path: str, permission: Permission | None) -> None:
    """Write down that `actor` was refused `path`, in a unit of work of its own, unless enough of it is written."""
    with bookkeeping() as session:
        # Whoever sends many at once waits for nobody here: while one is written, the others are not.
        if not session.scalar(select(func.pg_try_advisory_xact_lock(_lock(actor)))):
            return
        path = path[:LONGEST_PATH]
        if _is_enough(session, actor, path):
            return
        audit.record(
            session,
            actor,
            action=ACTION,
            kind="page",
            id=path,
            after={"permission": permission.name.lower()} if permission else None,
        )


def _is_enough(session: Session, actor: Actor, path: str) -> bool:
    last = (
        select(AuditRecord.action, AuditRecord.object_id, AuditRecord.recorded_at)
        .where(AuditRecord.actor_id == actor.user_id)
        .order_by(AuditRecord.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    now = utcnow()
    denials = session.execute(
        select(last.c.object_id, last.c.recorded_at).where(
            last.c.action == ACTION, last.c.recorded_at > now - COUNTED_FOR
        )
    ).all()
    same = any(each.object_id == path and each.recorded_at > now - AGAIN_AFTER for each in denials)
    return same or len(denials) >= IN_AN_HOUR


def _lock(actor: Actor) -> object:
    return func.hashtextextended(f"denial:{actor.user_id}", 0)
