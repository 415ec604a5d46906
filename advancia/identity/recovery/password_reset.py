"""A forgotten password: a link by mail, and with it a new password. The second factor stays as it is."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update

from advancia import audit
from advancia.core import outbox
from advancia.core.addresses import counted_as
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity import notices
from advancia.identity.errors import LinkIsDead, TooManyMails
from advancia.identity.models import User
from advancia.identity.notices import Notice
from advancia.identity.recovery import credentials, tokens
from advancia.identity.recovery.models import PasswordReset
from advancia.identity.services import limits
from advancia.identity.services.limits import Limit
from advancia.identity.sessions import services as sessions

VALID_FOR = timedelta(hours=1)
IF_NOT_YOU = (
    "All sessions have ended. If it was not you, somebody reads your mail: secure your mailbox first, then choose "
    "“Forgot your password?” at the sign-in and set another one."
)
BY_EMAIL = Limit("password_reset.email", allowed=5, window=timedelta(hours=1), refusal=TooManyMails)
BY_ADDRESS = Limit("password_reset.address", allowed=20, window=timedelta(hours=1), refusal=TooManyMails)


def ask(session: Session, *, email: str, address: str | None) -> None:
    """Have a link mailed to `email`, if somebody has an account with it.

    Whether somebody has is looked up by the job: here it would tell by the time it takes. Raises `TooManyMails`.
    """
    email = email.lower()
    limits.take(session, (BY_EMAIL, email), (BY_ADDRESS, counted_as(address) or "unknown"))
    outbox.put(session, Job.OPEN_PASSWORD_RESET, email=email, address=address)


def open_for(session: Session, *, email: str, address: str | None) -> None:
    """Open a reset for the person with that address and mail the link; the links before it are dead.

    `address` is where somebody asked from. Nothing happens if there is nobody, or they are suspended.
    """
    wanted = select(User).where(User.email == email, User.suspended_at.is_(None))
    person = session.scalar(wanted.with_for_update(key_share=True))
    if person is None:
        return
    credentials.close_resets(session, user_id=person.id)
    token = tokens.new_token()
    session.add(
        PasswordReset(user_id=person.id, token_hash=tokens.token_hash(token), expires_at=utcnow() + VALID_FOR)
    )
    audit.record_of_system(
        session, action="password.ask", kind="user", id=person.id, after={"asked_from": address}
    )
    _mail(session, person, token=token, address=address)


def person_of(session: Session, token: str) -> User:
    """Whose password the link would reset. Raises `LinkIsDead`."""
    person = session.scalar(
        select(User)
        .join(PasswordReset, PasswordReset.user_id == User.id)
        .where(
            PasswordReset.token_hash == tokens.token_hash(token),
            PasswordReset.closed_at.is_(None),
            PasswordReset.expires_at > func.now(),
            User.suspended_at.is_(None),
        )
    )
    if person is None:
        raise LinkIsDead
    return person


def finish(session: Session, *, token: str, actor: Actor, password_hash: str, stands_alone: bool) -> None:
    """Set the new password and end every session. Of two who use one link at once, one gets `LinkIsDead`."""
    # The person first, then the link: as everybody locks them.
    session.execute(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
    if not _use(session, token, user_id=actor.user_id):
        raise LinkIsDead
    credentials.set_password(
        session, user_id=actor.user_id, password_hash=password_hash, stands_alone=stands_alone
    )
    ended = sessions.end_all(session, user_id=actor.user_id)
    audit.record(
        session,
        actor,
        action="password.reset",
        kind="user",
        id=actor.user_id,
        after={"sessions_ended": ended},
    )
    notices.tell(
        session,
        user_id=actor.user_id,
        notice=Notice.PASSWORD_RESET,
        address=actor.address,
        sentence=IF_NOT_YOU,
    )


def _use(session: Session, token: str, *, user_id: int) -> bool:
    """Close the link; tell whether it could be used until now."""
    used = session.scalar(
        update(PasswordReset)
        .where(
            PasswordReset.token_hash == tokens.token_hash(token),
            PasswordReset.user_id == user_id,
            PasswordReset.closed_at.is_(None),
            PasswordReset.expires_at > func.now(),
        )
        .values(closed_at=func.now())
        .returning(PasswordReset.id)
    )
    return used is not None


def _mail(session: Session, person: User, *, token: str, address: str | None) -> None:
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template="password_reset",
        to=person.email,
        facts={
            "name": person.name,
            "minutes": int(VALID_FOR.total_seconds() // 60),
            "address": address,
            "second_factor": person.second_factor_since is not None,
        },
        secret={"token": token},
    )
