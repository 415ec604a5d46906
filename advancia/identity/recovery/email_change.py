"""Another address for the account: both the old one and the new one have to agree, each by the link in its mail.

Neither mailbox alone can take the account along: whoever has only the session, or only the new address, gets nowhere
without the old one, whose owner is told at once and can stop it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from advancia import audit
from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity import notices
from advancia.identity.errors import AddressTaken, LinkIsDead, SameAddress, TooManyMails
from advancia.identity.models import User
from advancia.identity.notices import Notice
from advancia.identity.recovery import credentials, tokens
from advancia.identity.recovery.models import EmailChange
from advancia.identity.services import limits
from advancia.identity.services.limits import Limit

VALID_FOR = timedelta(hours=24)
BY_ACCOUNT = Limit("email_change.account", allowed=5, window=timedelta(hours=1), refusal=TooManyMails)
BY_NEW_EMAIL = Limit("email_change.email", allowed=5, window=timedelta(hours=1), refusal=TooManyMails)


@dataclass(frozen=True)
class Waiting:
    """A change of address that is not complete. `side` is whose link was followed, `old` or `new`, if any was."""

    id: int
    user_id: int
    name: str
    role: str
    old_email: str
    new_email: str
    old_agreed: bool
    new_agreed: bool
    expires_at: datetime
    side: str | None = None

    @property
    def is_complete(self) -> bool:
        return self.old_agreed and self.new_agreed

    @property
    def agreed_here(self) -> bool:
        return self.old_agreed if self.side == "old" else self.new_agreed


def ask(session: Session, *, actor: Actor, new_email: str) -> None:
    """Begin the change and mail both addresses; one that was begun before is dropped.

    Nothing here tells whether somebody has an account with the new address: if so, its owner is told by mail, and no
    link opens the change from that side. Raises `SameAddress`, `TooManyMails`.
    """
    new_email = new_email.lower()
    person = session.scalars(
        select(User).where(User.id == actor.user_id).with_for_update(key_share=True)
    ).one()
    if new_email == person.email:
        raise SameAddress
    limits.take(session, (BY_ACCOUNT, str(person.id)), (BY_NEW_EMAIL, new_email))
    drop(session, user_id=person.id)
    _begin(session, person, new_email, address=actor.address)
    audit.record(
        session, actor, action="email.ask", kind="user", id=person.id,
        before={"email": person.email}, after={"email": new_email},
    )  # fmt: skip


def waiting_of(session: Session, *, user_id: int) -> Waiting | None:
    """The change of that person's address that waits for an answer."""
    row = session.execute(_open().where(EmailChange.user_id == user_id)).first()
    return _waiting(row[0], row[1]) if row else None


def waiting_by(session: Session, token: str) -> Waiting:
    """The change that the link is about, with the side that the link belongs to. Raises `LinkIsDead`."""
    row = session.execute(_open().where(_is_of(token))).first()
    if row is None:
        raise LinkIsDead
    return _waiting(row[0], row[1], token)


def agree(session: Session, *, actor: Actor, token: str) -> Waiting:
    """Note that this side agrees; once both have, the account has its new address. Repeatable.

    Raises `LinkIsDead`; or `AddressTaken` if somebody else got the new address meanwhile.
    """
    # The person first, then the change: as `ask` and every change of the password lock them.
    session.execute(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
    row = session.execute(_open().where(_is_of(token)).with_for_update(of=EmailChange)).first()
    if row is None or row[0].user_id != actor.user_id:
        raise LinkIsDead
    change, person = row
    if change.old_token_hash == tokens.token_hash(token):
        change.old_agreed_at = change.old_agreed_at or utcnow()
    else:
        change.new_agreed_at = change.new_agreed_at or utcnow()
    if change.old_agreed_at and change.new_agreed_at:
        _complete(session, actor, change)
    session.flush()
    return _waiting(change, person, token)


def stop(session: Session, *, actor: Actor) -> bool:
    """Drop the change that waits, by whichever link or session; tell whether there was one."""
    dropped = drop(session, user_id=actor.user_id)
    if dropped:
        audit.record(session, actor, action="email.stop", kind="user", id=actor.user_id)
    return dropped


def drop(session: Session, *, user_id: int) -> bool:
    closed = session.execute(
        update(EmailChange)
        .where(EmailChange.user_id == user_id, EmailChange.closed_at.is_(None))
        .values(closed_at=func.now())
        .returning(EmailChange.id)
    )
    return closed.first() is not None


def _begin(session: Session, person: User, new_email: str, *, address: str | None) -> None:
    """Open the change and mail each side its link; whoever has the new address already is told so instead."""
    old_token, new_token = tokens.new_token(), tokens.new_token()
    change = EmailChange(
        user_id=person.id,
        old_email=person.email,
        new_email=new_email,
        old_token_hash=tokens.token_hash(old_token),
        new_token_hash=tokens.token_hash(new_token),
        expires_at=utcnow() + VALID_FOR,
    )
    session.add(change)
    session.flush()
    _mail(session, "email_change_old", change, to=person.email, token=old_token, address=address)
    if session.scalar(select(User.id).where(User.email == new_email)) is None:
        _mail(session, "email_change_new", change, to=new_email, token=new_token)
    else:
        # To encrypt a secret takes time, so this mail has one as well, though it says nothing of it.
        unused = {"token": new_token}
        outbox.put(
            session, Job.SEND_EMAIL, template="email_change_taken", to=new_email, facts={}, secret=unused
        )


def _complete(session: Session, actor: Actor, change: EmailChange) -> None:
    change.closed_at = utcnow()
    session.flush()
    try:
        with session.begin_nested():
            session.execute(
                update(User)
                .where(User.id == change.user_id)
                .values(email=change.new_email, email_verified_at=func.now())
            )
    except IntegrityError:
        raise AddressTaken from None
    credentials.close_resets(session, user_id=change.user_id)
    audit.record(
        session, actor, action="email.change", kind="user", id=change.user_id,
        before={"email": change.old_email}, after={"email": change.new_email},
    )  # fmt: skip
    for to in (change.old_email, change.new_email):
        notices.tell(
            session,
            user_id=change.user_id,
            notice=Notice.EMAIL_CHANGED,
            to=to,
            lines=(("Before", change.old_email), ("Now", change.new_email)),
            sentence="Both addresses agreed to it. From now on, you sign in with the new one.",
        )


def _open() -> Select[EmailChange, User]:
    return (
        select(EmailChange, User)
        .join(User, User.id == EmailChange.user_id)
        .where(
            EmailChange.closed_at.is_(None),
            EmailChange.expires_at > func.now(),
            User.email == EmailChange.old_email,
            User.suspended_at.is_(None),
        )
    )


def _is_of(token: str) -> Any:
    known_by = tokens.token_hash(token)
    return or_(EmailChange.old_token_hash == known_by, EmailChange.new_token_hash == known_by)


def _waiting(change: EmailChange, person: User, token: str | None = None) -> Waiting:
    side = None
    if token is not None:
        side = "old" if change.old_token_hash == tokens.token_hash(token) else "new"
    return Waiting(
        id=change.id,
        user_id=change.user_id,
        name=person.name,
        role=person.role,
        old_email=change.old_email,
        new_email=change.new_email,
        old_agreed=change.old_agreed_at is not None,
        new_agreed=change.new_agreed_at is not None,
        expires_at=change.expires_at,
        side=side,
    )


def _mail(
    session: Session, template: str, change: EmailChange, *, to: str, token: str, address: str | None = None
) -> None:
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template=template,
        to=to,
        facts={
            "old_email": change.old_email,
            "new_email": change.new_email,
            "hours": int(VALID_FOR.total_seconds() // 3600),
            "address": address,
        },
        secret={"token": token},
    )
