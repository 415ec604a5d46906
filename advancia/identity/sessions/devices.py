"""Devices: the browsers that a person has signed in from, known again by a cookie that outlives the session.

The cookie opens nothing. It tells a new browser from one that was here before, so that a notice is sent of the new
one, and so that failures of strangers do not count against the owner's own.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from advancia.core.db import Session
from advancia.identity.models import Device, User, UserSession

KEPT = timedelta(days=365)  # after the last sign-in there, as the cookie
TOKEN_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def is_token(text: str | None) -> bool:
    """Whether that could be a device's token at all."""
    return bool(text and _FORM.fullmatch(text))


def is_known(session: Session, *, email: str, token: str | None) -> bool:
    """Whether somebody has signed in as `email` in the browser of that token."""
    found = (
        select(Device.id)
        .join(User, User.id == Device.user_id)
        .where(User.email == email, Device.token_hash == _hash(token or ""))
    )
    return session.scalar(found) is not None


def meet(session: Session, *, user_id: int, token: str) -> tuple[int, bool]:
    """Note that the person has signed in there; return the device's id, and whether it was unknown until now."""
    row = session.execute(
        insert(Device)
        .values(user_id=user_id, token_hash=_hash(token))
        .on_conflict_do_update(
            index_elements=[Device.user_id, Device.token_hash], set_={"last_seen_at": func.now()}
        )
        # Only a row that this very transaction has written was first seen at its beginning.
        .returning(Device.id, Device.first_seen_at == func.now())
    ).one()
    return row[0], bool(row[1])


def forget_all(session: Session, *, user_id: int, but_of_session: int | None = None) -> None:
    """Know none of the person's devices any more, except the one of that session."""
    kept = select(UserSession.device_id).where(UserSession.id == but_of_session)
    chosen = delete(Device).where(Device.user_id == user_id)
    if but_of_session is not None:
        chosen = chosen.where(Device.id.not_in(kept.where(UserSession.device_id.is_not(None))))
    session.execute(chosen)


def forget_of_session(session: Session, *, session_id: int) -> None:
    """Know the device of that session no more."""
    its = select(UserSession.device_id).where(UserSession.id == session_id)
    session.execute(delete(Device).where(Device.id.in_(its)))


def name_of(token: str) -> str:
    """What stands for the token where it must not be readable."""
    return _hash(token).hex()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
