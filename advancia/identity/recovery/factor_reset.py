"""A lost second factor: staff begin, a day passes in which the person can stop it, and only the person finishes.

Staff never learn or set anything: they begin, and give a reason. What opens the account again is the person's mailbox
and password together, after a delay in which everybody who is signed in, and the mailbox, is told and can say no.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select, update

from advancia import audit
from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity import notices
from advancia.identity.errors import LinkIsDead, ResetRefused
from advancia.identity.factors.services import account as factors
from advancia.identity.models import User
from advancia.identity.notices import Notice
from advancia.identity.recovery import tokens
from advancia.identity.recovery.models import FactorReset
from advancia.identity.sessions import services as sessions

DELAY = timedelta(hours=24)
VALID_FOR = timedelta(hours=72)  # from when the delay is over

NOBODY = "There is no such person."
YOURSELF = "You cannot begin the reset of your own second factor. Ask a colleague."
NO_FACTOR = "This person has no second factor that could be reset."
UNDER_WAY = "A reset is under way already."
NO_REASON = "Say why."


@dataclass(frozen=True)
class Waiting:
    """A reset that was begun and is not over."""

    id: int
    user_id: int
    name: str
    email: str
    handle: str
    role: str
    begun_at: datetime
    ready_at: datetime
    expires_at: datetime
    password_alone: bool
    password_since: datetime

    @property
    def is_ready(self) -> bool:
        return self.ready_at <= utcnow()


def begin(session: Session, *, actor: Actor, user_id: int, reason: str) -> datetime:
    """Begin the reset of that person's second factor and return when they can finish it.

    The route checks that `actor` may. The person is mailed a link now, which shows the state and can stop it, and
    another when the delay is over. Raises `ResetRefused`, whose text says why.
    """
    person = session.scalar(select(User).where(User.id == user_id).with_for_update(key_share=True))
    if person is None:
        raise ResetRefused(NOBODY)
    _refuse_what_cannot_be(session, person, actor, reason)
    token, ready_at = tokens.new_token(), utcnow() + DELAY
    reset = FactorReset(
        user_id=user_id,
        begun_by=actor.user_id,
        reason=reason.strip(),
        begun_token_hash=tokens.token_hash(token),
        ready_at=ready_at,
        expires_at=ready_at + VALID_FOR,
    )
    session.add(reset)
    session.flush()
    _note_begin(session, actor, reset)
    _mail(session, "factor_reset_begun", person, reset, token)
    outbox.put(session, Job.ANNOUNCE_FACTOR_RESET, available_at=ready_at, reset_id=reset.id)
    return ready_at


def announce(session: Session, *, reset_id: int) -> None:
    """Mail the link with which the reset can be finished, now that the delay is over; nothing if it was stopped."""
    row = session.execute(_open().where(FactorReset.id == reset_id).with_for_update(of=FactorReset)).first()
    if row is None:
        return
    reset, person = row
    token = tokens.new_token()
    reset.ready_token_hash = tokens.token_hash(token)
    _mail(session, "factor_reset_ready", person, reset, token)


def waiting_of(session: Session, *, user_id: int) -> Waiting | None:
    """The reset that is under way for that person."""
    row = session.execute(_open().where(FactorReset.user_id == user_id)).first()
    return _waiting(*row) if row else None


def waiting_by(session: Session, token: str) -> Waiting:
    """The reset that the link is about. Raises `LinkIsDead`."""
    row = session.execute(_open().where(_is_of(token))).first()
    if row is None:
        raise LinkIsDead
    return _waiting(*row)


def cancel(session: Session, *, actor: Actor) -> bool:
    """Stop the reset, by the person, whether signed in or by link; tell whether there was one."""
    if not _close(session, FactorReset.user_id == actor.user_id):
        return False
    audit.record(session, actor, action="factor_reset.cancel", kind="user", id=actor.user_id)
    notices.tell(session, user_id=actor.user_id, notice=Notice.FACTOR_RESET_CANCELLED, address=actor.address)
    return True


def finish(session: Session, *, actor: Actor, token: str) -> None:
    """Take the lost factors away and end every session; the caller has checked the password.

    Of two who finish at once, one gets `LinkIsDead`; so does who comes before the delay is over.
    """
    factors.lock(session, actor.user_id)
    if not _close(
        session, FactorReset.user_id == actor.user_id, _is_of(token), FactorReset.ready_at <= utcnow()
    ):
        raise LinkIsDead
    factors.forget_all(session, user_id=actor.user_id)
    ended = sessions.end_all(session, user_id=actor.user_id)
    audit.record(
        session,
        actor,
        action="factor_reset.finish",
        kind="user",
        id=actor.user_id,
        after={"sessions_ended": ended},
    )
    notices.tell(session, user_id=actor.user_id, notice=Notice.FACTOR_RESET_DONE, address=actor.address)


def _refuse_what_cannot_be(session: Session, person: User, actor: Actor, reason: str) -> None:
    if person.id == actor.user_id:
        raise ResetRefused(YOURSELF)
    if person.second_factor_since is None:
        raise ResetRefused(NO_FACTOR)
    if not reason.strip():
        raise ResetRefused(NO_REASON)
    # One that has run out makes room.
    _close(session, FactorReset.user_id == person.id, FactorReset.expires_at <= utcnow())
    if waiting_of(session, user_id=person.id) is not None:
        raise ResetRefused(UNDER_WAY)


def _note_begin(session: Session, actor: Actor, reset: FactorReset) -> None:
    audit.record(
        session,
        actor,
        action="factor_reset.begin",
        kind="user",
        id=reset.user_id,
        after={"ready_at": reset.ready_at.isoformat()},
        reason=reset.reason,
    )


def _close(session: Session, *which: Any) -> bool:
    closed = session.execute(
        update(FactorReset)
        .where(FactorReset.closed_at.is_(None), *which)
        .values(closed_at=func.now())
        .returning(FactorReset.id)
    )
    return closed.first() is not None


def _open() -> Select[FactorReset, User]:
    return (
        select(FactorReset, User)
        .join(User, User.id == FactorReset.user_id)
        .where(FactorReset.closed_at.is_(None), FactorReset.expires_at > func.now())
    )


def _is_of(token: str) -> Any:
    known_by = tokens.token_hash(token)
    return or_(FactorReset.begun_token_hash == known_by, FactorReset.ready_token_hash == known_by)


def _waiting(reset: FactorReset, person: User) -> Waiting:
    return Waiting(
        id=reset.id,
        user_id=person.id,
        name=person.name,
        email=person.email,
        handle=person.handle,
        role=person.role,
        begun_at=reset.created_at,
        ready_at=reset.ready_at,
        expires_at=reset.expires_at,
        password_alone=person.password_alone,
        password_since=person.password_changed_at,
    )


def _mail(session: Session, template: str, person: User, reset: FactorReset, token: str) -> None:
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template=template,
        to=person.email,
        facts={
            "name": person.name,
            "ready": f"{reset.ready_at:%-d %B %Y, %H:%M} UTC",
            "until": f"{reset.expires_at:%-d %B %Y, %H:%M} UTC",
        },
        secret={"token": token},
    )
