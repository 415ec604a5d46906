"""What a person may see of their sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, func, select

from advancia.core.db import Session
from advancia.identity.models import User, UserSession
from advancia.identity.sessions import browsers, places, timeouts

ENDED_SHOWN = 10


@dataclass(frozen=True)
class SessionLine:
    """A session as its person sees it. One that `ran_out` was ended by nobody."""

    id: int
    device: str
    is_handheld: bool
    place: str
    signed_in: datetime
    last_used: datetime
    ends: datetime
    ran_out: bool


def open_sessions(session: Session, user_id: int) -> list[SessionLine]:
    """The person's sessions that go on, the one that was used last first."""
    chosen = _sessions_of(user_id).where(timeouts.ends_at() > func.now())
    return [_line(row) for row in session.execute(chosen.order_by(UserSession.last_used_at.desc()))]


def ended_sessions(session: Session, user_id: int) -> list[SessionLine]:
    """The last ten that have ended, the newest first, as far as they are still remembered."""
    ends_at = timeouts.ends_at()
    chosen = _sessions_of(user_id).where(ends_at <= func.now())
    return [_line(row) for row in session.execute(chosen.order_by(ends_at.desc()).limit(ENDED_SHOWN))]


def _sessions_of(user_id: int) -> Select[UserSession, datetime]:
    return (
        select(UserSession, timeouts.ends_at().label("ends"))
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.user_id == user_id)
    )


def _line(row: Row[UserSession, datetime]) -> SessionLine:
    found = row[0]
    return SessionLine(
        id=found.id,
        device=browsers.in_words(found.user_agent),
        is_handheld=browsers.is_handheld(found.user_agent),
        place=places.in_words(found.address),
        signed_in=found.created_at,
        last_used=found.last_used_at,
        ends=row[1],
        ran_out=found.ended_at is None,
    )
