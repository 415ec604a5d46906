"""Asking somebody for the password that they have, outside of the sign-in and under the same limits."""

from __future__ import annotations

from flask import request

from advancia.core.db import db, unit_of_work
from advancia.core.errors import Busy
from advancia.identity import queries, visitor
from advancia.identity.errors import WrongPassword
from advancia.identity.services import passwords, sign_in


def check(email: str, typed: str) -> None:
    """Raise `WrongPassword` unless `typed` is the password of the account. For the rest as `is_right`."""
    if not is_right(email, typed):
        raise WrongPassword


def is_right(email: str, typed: str) -> bool:
    """Whether `typed` is the password of the account; a wrong one counts as a failed sign-in.

    Raises `LimitReached`, `Busy`. Opens its own units of work, so call it outside of any.
    """
    db.session.rollback()
    with unit_of_work() as session:
        attempt = sign_in.begin_attempt(
            session, email=email, address=request.remote_addr, device=visitor.known_device()
        )
    known = queries.credentials_of(db.session(), email)
    db.session.rollback()  # no connection is kept waiting while the password is hashed
    try:
        right = passwords.matches(known.password_hash, typed)
    except Busy:
        with unit_of_work() as session:
            sign_in.take_back(session, attempt=attempt)
        raise
    with unit_of_work() as session:
        if right:
            sign_in.mark_succeeded(session, attempt=attempt)
        else:
            sign_in.note_failure(session, user_id=known.user_id, address=request.remote_addr)
    return right
