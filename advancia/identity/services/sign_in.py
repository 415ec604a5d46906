"""Signing in: the tries are counted before the password is looked at."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.sql.elements import ColumnElement

from advancia.core.addresses import counted_as
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.identity.errors import TooManyTries
from advancia.identity.models import SignInAttempt

FAILURES_ALLOWED = 5
FAILURES_WINDOW = timedelta(minutes=15)


def begin_attempt(session: Session, *, email: str, address: str | None) -> int:
    """Write down that somebody tries to sign in, and return the try's id.

    The try counts as a failure until it is marked as good, so that any number of tries at once cannot
    pass the limit together. Raises `TooManyTries` when the account or the address has used up its five in fifteen
    minutes; a refused try is not counted itself, and so does not prolong the wait.
    """
    email, address = email.lower(), counted_as(address)
    for lock in sorted((f"sign_in:email:{email}", f"sign_in:address:{address}")):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    _refuse_if_used_up(session, SignInAttempt.email == email)
    _refuse_if_used_up(session, SignInAttempt.address == address)
    attempt = SignInAttempt(email=email, address=address)
    session.add(attempt)
    session.flush()
    return attempt.id


def mark_succeeded(session: Session, *, attempt_id: int) -> None:
    """The try was a good one after all, and no longer counts against the limit."""
    session.execute(update(SignInAttempt).where(SignInAttempt.id == attempt_id).values(succeeded=True))


def _refuse_if_used_up(session: Session, whose: ColumnElement[bool]) -> None:
    now = utcnow()
    failures = session.scalars(
        select(SignInAttempt.tried_at)
        .where(whose, ~SignInAttempt.succeeded, SignInAttempt.tried_at > now - FAILURES_WINDOW)
        .order_by(SignInAttempt.tried_at.desc())
        .limit(FAILURES_ALLOWED)
    ).all()
    if len(failures) == FAILURES_ALLOWED:
        raise TooManyTries(failures[-1] + FAILURES_WINDOW - now)
