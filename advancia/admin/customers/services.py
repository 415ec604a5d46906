"""What staff do to a customer's sessions."""

from __future__ import annotations

from advancia import audit
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.identity.sessions import services as sessions


def end_sessions(session: Session, *, actor: Actor, user_id: int, reason: str) -> int:
    """Sign that person out everywhere, now; return how many sessions ended."""
    ended = sessions.end_all(session, user_id=user_id)
    audit.record(
        session,
        actor,
        action="sessions.ended",
        kind="user",
        id=user_id,
        after={"count": ended},
        reason=reason,
    )
    return ended
