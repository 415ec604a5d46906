"""Sign-ins between the password and the second factor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, func, select

from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.identity.factors.models import PendingSignIn
from advancia.identity.factors.services import account, proofs
from advancia.identity.factors.services.proofs import Proof
from advancia.identity.models import User
from advancia.identity.sessions.tokens import new_token, token_hash

VALID_FOR = timedelta(minutes=10)
WRONG_TRIES_ALLOWED = 5
LONGEST_WANTED = 2000


@dataclass(frozen=True)
class Outcome:
    """How a proof of the second factor ended; `gone` when there is no sign-in left that it could finish."""

    user_id: int | None = None
    wanted: str | None = None
    gone: bool = False


@dataclass(frozen=True)
class Waiting:
    """Who has typed the right password, and is not signed in."""

    id: UUID
    user_id: int
    role: str
    name: str
    email: str


def begin(session: Session, *, user_id: int, wanted: str | None) -> str:
    """Note that the password was right, and return the token by which the browser may go on. It opens nothing."""
    token = new_token()
    wanted = wanted if wanted and len(wanted) <= LONGEST_WANTED else None
    session.add(
        PendingSignIn(
            token_hash=token_hash(token),
            user_id=user_id,
            wanted=wanted,
            expires_at=utcnow() + VALID_FOR,
        )
    )
    return token


def waiting(session: Session, token: str) -> Waiting | None:
    """Whose sign-in it is that can be finished by that token."""
    row = session.execute(
        _open(token).with_only_columns(PendingSignIn.id, User.id, User.role, User.name, User.email)
    ).first()
    return Waiting(*row) if row else None


def open_one(session: Session, token: str) -> PendingSignIn | None:
    """The sign-in of that token, while it can be finished.

    It cannot once it was finished, has run out or had five wrong tries; nor when the person was suspended, has
    changed the password or a factor, or has no factor any more, since the password was typed.
    """
    return session.scalar(_open(token))


def prove(session: Session, *, token: str, proof: Proof, address: str | None) -> Outcome:
    """Finish the sign-in if `proof` holds: then `user_id` is who may come in, once.

    The caller commits in any case, so that a wrong try is counted. Raises `TooManyCodes`.
    """
    found = open_one(session, token)
    if found is None:
        return Outcome(gone=True)
    account.lock(session, found.user_id)
    # Read again behind the lock: another tab may have finished it, or a change of the account ended it.
    pending = session.scalar(
        _open(token).with_for_update(of=PendingSignIn).execution_options(populate_existing=True)
    )
    if pending is None:
        return Outcome(gone=True)
    if not proofs.check(session, user_id=pending.user_id, proof=proof, address=address):
        pending.wrong_tries += 1
        return Outcome(gone=pending.wrong_tries >= WRONG_TRIES_ALLOWED)
    pending.ended_at = utcnow()
    return Outcome(user_id=pending.user_id, wanted=pending.wanted)


def _open(token: str) -> Select[PendingSignIn]:
    return (
        select(PendingSignIn)
        .join(User, User.id == PendingSignIn.user_id)
        .where(
            PendingSignIn.token_hash == token_hash(token),
            PendingSignIn.ended_at.is_(None),
            PendingSignIn.expires_at > func.clock_timestamp(),
            PendingSignIn.wrong_tries < WRONG_TRIES_ALLOWED,
            User.suspended_at.is_(None),
            User.second_factor_since.is_not(None),
            User.password_changed_at <= PendingSignIn.created_at,
        )
    )
