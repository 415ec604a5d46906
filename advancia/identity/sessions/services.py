"""Opening, renewing and ending sessions. A session's token is the browser's alone: only its SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import func, update

from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.identity.models import UserSession

TOKEN_BYTES = 32  # 256 bits; OWASP ASVS 5.0, 7.2.3 asks for 128
ABSOLUTE_TIMEOUT = timedelta(hours=24)
LONGEST_USER_AGENT = 300


def start(
    session: Session, *, user_id: int, address: str | None, user_agent: str | None, second_factor: bool
) -> str:
    """Open a session and return its token. `second_factor`: whether the person proved one to get here."""
    token = _new_token()
    now = utcnow()
    session.add(
        UserSession(
            user_id=user_id,
            token_hash=token_hash(token),
            address=address,
            user_agent=(user_agent or "")[:LONGEST_USER_AGENT] or None,
            expires_at=now + ABSOLUTE_TIMEOUT,
            confirmed_at=now,
            second_factor_at=now if second_factor else None,
        )
    )
    return token


def renew(session: Session, *, session_id: int, second_factor: bool) -> str:
    """Note that the person has just proved who they are, and return the session's new token: the old one is dead.

    A new token on every rise of privilege, so that whoever learned the old one gains nothing by it.
    """
    token = _new_token()
    now = utcnow()
    proved = {"second_factor_at": now} if second_factor else {}
    session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.ended_at.is_(None))
        .values(token_hash=token_hash(token), confirmed_at=now, **proved)
    )
    return token


def end(session: Session, *, session_id: int) -> None:
    """End that session; no harm if it has ended already."""
    session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.ended_at.is_(None))
        .values(ended_at=func.now())
    )


def end_all(session: Session, *, user_id: int, but: int | None = None) -> int:
    """End every open session of that person, except the one of the id `but`; return how many ended."""
    ended = session.execute(
        update(UserSession)
        .where(UserSession.user_id == user_id, UserSession.ended_at.is_(None), UserSession.id != (but or 0))
        .values(ended_at=func.now())
        .returning(UserSession.id)
    )
    return len(ended.all())


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)
