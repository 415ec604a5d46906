"""Putting a new password in the place of the old one, and ending what the old one had begun."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update

from advancia.core.db import Session
from advancia.core.errors import Busy
from advancia.identity.errors import FactorGone
from advancia.identity.models import User
from advancia.identity.recovery.models import EmailChange, PasswordReset
from advancia.identity.services import passwords, sign_in


class PasswordChanged(Exception):
    """Between the look at a password and what it was to open, it was changed."""


def set_password(session: Session, *, user_id: int, password_hash: str, stands_alone: bool) -> None:
    """Store the new hash. Every open link to reset the password, and every change of address that waits, is dead.

    The failures at the old password are forgotten with it. `stands_alone` tells whether the password may be the only
    factor; if not, and the second one was removed meanwhile, this raises `FactorGone`. The caller ends sessions.
    """
    person = session.execute(
        select(User.email, User.second_factor_since).where(User.id == user_id).with_for_update(key_share=True)
    ).one()
    if not stands_alone and person.second_factor_since is None:
        raise FactorGone
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(
            password_hash=password_hash,
            password_alone=stands_alone,
            password_changed_at=func.clock_timestamp(),
        )
    )
    sign_in.unlock(session, email=person.email)
    close_resets(session, user_id=user_id)
    session.execute(
        update(EmailChange)
        .where(EmailChange.user_id == user_id, EmailChange.closed_at.is_(None))
        .values(closed_at=func.now())
    )


def close_resets(session: Session, *, user_id: int) -> None:
    """Make every open link to reset that person's password useless."""
    session.execute(
        update(PasswordReset)
        .where(PasswordReset.user_id == user_id, PasswordReset.closed_at.is_(None))
        .values(closed_at=func.now())
    )


def renew_hash(session: Session, *, user_id: int, old_hash: str, new_hash: str) -> None:
    """Store the same password hashed with today's parameters, unless it was changed in the meantime."""
    session.execute(
        update(User).where(User.id == user_id, User.password_hash == old_hash).values(password_hash=new_hash)
    )


def refuse_if_changed(session: Session, *, user_id: int, since: datetime) -> None:
    """Raise `PasswordChanged` unless the person still has the password that they had `since`, and is not suspended.

    Until the caller's unit of work ends nobody can change that: a session which is opened in it is there to be ended by
    whoever changes the password next.
    """
    unchanged = (
        select(User.id)
        .where(User.id == user_id, User.password_changed_at == since, User.suspended_at.is_(None))
        .with_for_update(key_share=True)
    )
    if session.scalar(unchanged) is None:
        raise PasswordChanged


def renewed(old_hash: str, password: str) -> str | None:
    """The hash of the same password with today's parameters; `None` if it has them, or there is no time for it now."""
    try:
        return passwords.hashed(password) if passwords.is_outdated(old_hash) else None
    except Busy:
        return None


def stands_alone(password: str) -> bool:
    """Whether the password is long enough to be the only factor."""
    return len(passwords.normal(password)) >= passwords.SHORTEST
