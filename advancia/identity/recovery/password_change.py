"""A password changed by its owner, who is signed in."""

from __future__ import annotations

from advancia import audit
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.identity import notices
from advancia.identity.notices import Notice
from advancia.identity.recovery import credentials
from advancia.identity.sessions import services as sessions


def change(session: Session, *, actor: Actor, session_id: int, password_hash: str, stands_alone: bool) -> str:
    """Set the new password, end every other session and tell the owner; return this session's new token."""
    credentials.set_password(
        session, user_id=actor.user_id, password_hash=password_hash, stands_alone=stands_alone
    )
    ended = sessions.end_all(session, user_id=actor.user_id, but=session_id)
    audit.record(
        session,
        actor,
        action="password.change",
        kind="user",
        id=actor.user_id,
        after={"sessions_ended": ended},
    )
    notices.tell(session, user_id=actor.user_id, notice=Notice.PASSWORD_CHANGED, address=actor.address)
    return sessions.renew(session, session_id=session_id, second_factor=False, password=True)
