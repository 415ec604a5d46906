"""What the factors of one person have in common: they take turns, and the person's row says whether there are any."""

from __future__ import annotations

from sqlalchemy import delete, exists, func, or_, select, update

from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.permissions import is_staff
from advancia.identity.factors.errors import PasswordTooShort, StaffNeedsFactor
from advancia.identity.factors.models import AuthenticatorApp, Passkey, PendingSignIn, RecoveryCode
from advancia.identity.factors.services import guesses
from advancia.identity.models import User
from advancia.identity.services import limits
from advancia.identity.sessions import services as sessions


def lock(session: Session, user_id: int) -> None:
    """Let whatever is done with the factors of this person take turns, until the caller's unit of work ends."""
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


def has_any(session: Session, user_id: int) -> bool:
    """Whether the person has a factor that works. Recovery codes stand in for one and are none."""
    app = exists().where(AuthenticatorApp.user_id == user_id, AuthenticatorApp.confirmed_at.is_not(None))
    passkey = exists().where(Passkey.user_id == user_id)
    return bool(session.scalar(select(or_(app, passkey))))


def must_be_proved(session: Session, user_id: int) -> bool:
    """Whether the password is not enough for this person; in doubt it is not."""
    noted = session.scalar(select(User.second_factor_since).where(User.id == user_id))
    return noted is not None or has_any(session, user_id)


def is_open(session: Session, user_id: int) -> bool:
    """Whether the person may sign in at all."""
    return bool(session.scalar(select(User.suspended_at.is_(None)).where(User.id == user_id)))


def added(session: Session, *, user_id: int, session_id: int | None, replaces: bool = False) -> None:
    """Note that a factor was added, or put in the place of another.

    With the first one all other sessions end, for the password alone had opened them; so they do when one is replaced.
    """
    first = session.scalar(
        update(User)
        .where(User.id == user_id, User.second_factor_since.is_(None))
        .values(second_factor_since=func.now())
        .returning(User.id)
    )
    drop_pending(session, user_id=user_id)
    if first is not None or replaces:
        sessions.end_all(session, user_id=user_id, but=session_id)


def removed(session: Session, *, actor: Actor, session_id: int) -> None:
    """Note that a factor was taken away. Other sessions end.

    With the last one go the recovery codes, which would open nothing. Raises `StaffNeedsFactor` if it was the last one
    of staff, and `PasswordTooShort` if the password will not do as the only factor.
    """
    drop_pending(session, user_id=actor.user_id)
    sessions.end_all(session, user_id=actor.user_id, but=session_id)
    if has_any(session, actor.user_id):
        return
    if is_staff(actor.role):
        raise StaffNeedsFactor
    if not session.scalar(select(User.password_alone).where(User.id == actor.user_id)):
        raise PasswordTooShort
    _note_none(session, actor.user_id)


def forget_all(session: Session, *, user_id: int) -> None:
    """Take away every factor of the person: the end of a reset. Their sessions are the caller's to end.

    Wrong codes are counted anew with the next factor.

    Staff who lose their factors this way reach no staff page until they have enrolled anew.
    """
    lock(session, user_id)
    for each in (AuthenticatorApp, Passkey):
        session.execute(delete(each).where(each.user_id == user_id))
    drop_pending(session, user_id=user_id)
    limits.forget(session, *guesses.counters_of(user_id))
    _note_none(session, user_id)


def drop_pending(session: Session, *, user_id: int) -> None:
    """End the sign-ins that wait for a second factor: what they began under has changed."""
    session.execute(
        update(PendingSignIn)
        .where(PendingSignIn.user_id == user_id, PendingSignIn.ended_at.is_(None))
        .values(ended_at=func.now())
    )


def _note_none(session: Session, user_id: int) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.execute(update(User).where(User.id == user_id).values(second_factor_since=None))
