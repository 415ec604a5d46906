"""Opening, renewing and ending sessions."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select, update

from advancia import audit
from advancia.core import context
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.identity import notices
from advancia.identity.errors import SessionEnded
from advancia.identity.models import User, UserSession
from advancia.identity.notices import Notice
from advancia.identity.sessions import browsers, devices, timeouts
from advancia.identity.sessions.tokens import new_token, token_hash

LONGEST_USER_AGENT = 300


def start(
    session: Session,
    *,
    user_id: int,
    address: str | None,
    user_agent: str | None,
    second_factor: bool,
    password: bool = True,
    device: str | None = None,
    is_first: bool = False,
) -> str:
    """Open a session and return its token.

    `second_factor` and `password` tell which of these the person proved to get here.

    `device` is the token of the browser's device. One that the person has not signed in from before is told of by
    mail, unless `is_first`: the account was made in it a moment ago.
    """
    token = new_token()
    now = utcnow()
    role: str = session.scalars(select(User.role).where(User.id == user_id)).one()
    device_id, is_new = devices.meet(session, user_id=user_id, token=device) if device else (None, True)
    opened = UserSession(
        user_id=user_id,
        device_id=device_id,
        token_hash=token_hash(token),
        address=address,
        user_agent=(user_agent or "")[:LONGEST_USER_AGENT] or None,
        expires_at=now + timeouts.absolute(role),
        confirmed_at=now,
        second_factor_at=now if second_factor else None,
        password_at=now if password else None,
    )
    session.add(opened)
    session.flush()
    _note_start(session, opened, role=role, is_new=is_new)
    if is_new and not is_first:
        _tell_of_device(session, opened)
    return token


def renew(session: Session, *, session_id: int, second_factor: bool, password: bool = False) -> str:
    """Note that the person has just proved who they are, and return the session's new token: the old one is dead.

    A new token on every rise of privilege, so that whoever learned the old one gains nothing by it. Raises
    `SessionEnded`, so that what was begun in a session which somebody has ended meanwhile is not done after all.
    """
    token = new_token()
    now = utcnow()
    proved = {"second_factor_at": now} if second_factor else {}
    proved |= {"password_at": now} if password else {}
    renewed = session.scalar(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.ended_at.is_(None))
        .values(token_hash=token_hash(token), confirmed_at=now, **proved)
        .returning(UserSession.id)
    )
    if renewed is None:
        raise SessionEnded
    return token


def sign_out(session: Session, *, actor: Actor, session_id: int) -> None:
    """End the session because its person asked to in it. Its device stays known. No harm if it has ended already."""
    if _end(session, UserSession.id == session_id):
        _note(session, actor, "session.signed_out", {"session": session_id})


def end_own(session: Session, *, actor: Actor, session_id: int) -> None:
    """End another session of the person, and know its device no more. No harm if it has ended already.

    Raises `NotFound` when they have no such session.
    """
    own = (UserSession.id == session_id) & (UserSession.user_id == actor.user_id)
    if session.scalar(select(UserSession.id).where(own)) is None:
        raise NotFound("We could not find that session. It may have ended long ago.")
    devices.forget_of_session(session, session_id=session_id)
    if _end(session, own):
        _note(session, actor, "session.ended", {"session": session_id})


def end_others(session: Session, *, actor: Actor, but: int | None) -> int:
    """End all sessions of the person, except `but`, and return how many those were."""
    ended = end_all(session, user_id=actor.user_id, but=but)
    _note(session, actor, "sessions.ended", {"count": ended, "also_this_one": but is None})
    return ended


def end(session: Session, *, session_id: int) -> None:
    """End that session; no harm if it has ended already. The caller audits why."""
    _end(session, UserSession.id == session_id)


def end_all(session: Session, *, user_id: int, but: int | None = None) -> int:
    """End every open session of that person, except the one of the id `but`; return how many ended.

    Their devices are known no more, except the one of `but`. The caller audits why.
    """
    devices.forget_all(session, user_id=user_id, but_of_session=but)
    return _end(session, (UserSession.user_id == user_id) & (UserSession.id != (but or 0)))


def _end(session: Session, chosen: ColumnElement[bool]) -> int:
    ended = session.execute(
        update(UserSession)
        .where(chosen, UserSession.ended_at.is_(None))
        .values(ended_at=func.now())
        .returning(UserSession.id)
    )
    return len(ended.all())


def _note_start(session: Session, opened: UserSession, *, role: str, is_new: bool) -> None:
    author = Actor(opened.user_id, role, opened.address, context.request_id.get())
    facts = {
        "session": opened.id,
        "device": browsers.in_words(opened.user_agent),
        "new_device": is_new,
        "second_factor": opened.second_factor_at is not None,
    }
    _note(session, author, "session.started", facts)


def _note(session: Session, actor: Actor, action: str, facts: dict[str, object]) -> None:
    audit.record(session, actor, action=action, kind="user", id=actor.user_id, after=facts)


def _tell_of_device(session: Session, opened: UserSession) -> None:
    notices.tell(
        session,
        user_id=opened.user_id,
        notice=Notice.NEW_DEVICE,
        address=opened.address,
        lines=(("Device", browsers.in_words(opened.user_agent)),),
    )
