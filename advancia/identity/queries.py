"""What identity knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from advancia.core.canaries import is_canary
from advancia.core.db import Session
from advancia.identity.models import SignUp, User, UserSession
from advancia.identity.sessions import timeouts
from advancia.identity.sessions.tokens import token_hash


@dataclass(frozen=True)
class Person:
    """Somebody as others may see them."""

    id: int
    name: str
    handle: str
    email: str

    @property
    def is_canary(self) -> bool:
        """Whether this is nobody, but one of the launch check's."""
        return is_canary(self.email)


@dataclass(frozen=True)
class Credentials:
    """What a sign-in is checked against: the person's, and the newest sign-up's that waits for its code."""

    user_id: int | None
    password_hash: str | None
    password_since: datetime | None
    sign_up_id: UUID | None
    sign_up_password_hash: str | None


@dataclass(frozen=True)
class OpenSession:
    """A session with its person, as one query gives them."""

    session_id: int
    user_id: int
    name: str
    handle: str
    email: str
    role: str
    stale: bool
    confirmed_at: datetime
    second_factor_at: datetime | None
    password_at: datetime | None
    has_second_factor: bool
    terms_version: str


_OPEN_SESSION = (
    select(
        UserSession.id.label("session_id"),
        User.id.label("user_id"),
        User.name,
        User.handle,
        User.email,
        User.role,
        (UserSession.last_used_at < func.now() - timedelta(minutes=1)).label("stale"),
        UserSession.confirmed_at,
        UserSession.second_factor_at,
        UserSession.password_at,
        User.second_factor_since.is_not(None).label("has_second_factor"),
        User.terms_version,
    )
    .join(User, User.id == UserSession.user_id)
    .where(timeouts.ends_at() > func.now(), User.suspended_at.is_(None))
)


def open_session(session: Session, token: str) -> OpenSession | None:
    """The session of that token with its person, unless it has ended, run out, or the person is suspended."""
    row = session.execute(_OPEN_SESSION.where(UserSession.token_hash == token_hash(token))).first()
    return OpenSession(**row._mapping) if row else None  # noqa: SLF001 - public, in spite of its name


def credentials_of(session: Session, email: str) -> Credentials:
    """What to check a password for `email` against.

    A sign-up counts whether or not the address has an account, for else its password would tell which it is.
    """
    email = email.lower()
    person = session.execute(
        select(User.id, User.password_hash, User.password_changed_at).where(
            User.email == email, User.suspended_at.is_(None)
        )
    ).first()
    claim = session.execute(
        select(SignUp.id, SignUp.password_hash)
        .where(SignUp.email == email, SignUp.verified_at.is_(None))
        .order_by(SignUp.created_at.desc())
        .limit(1)
    ).first()
    return Credentials(*(person or (None, None, None)), *(claim or (None, None)))


def sign_up_email(session: Session, sign_up_id: UUID) -> str | None:
    """The address that this sign-up waits to see proved."""
    return session.scalar(select(SignUp.email).where(SignUp.id == sign_up_id, SignUp.verified_at.is_(None)))


def recipient_of(session: Session, typed: str) -> Person | None:
    """The customer whose email or @handle this is."""
    wanted = typed.strip().lower()
    match = (
        User.email == wanted if "@" in wanted.removeprefix("@") else User.handle == wanted.removeprefix("@")
    )
    row = session.execute(
        select(User.id, User.name, User.handle, User.email).where(
            match, User.role == "customer", User.suspended_at.is_(None)
        )
    ).first()
    return Person(*row) if row else None


def id_of(session: Session, email: str) -> int | None:
    """Whose address it is, customer or staff, suspended or not."""
    found: int | None = session.scalar(select(User.id).where(User.email == email.lower()))
    return found


def person(session: Session, user_id: int) -> Person:
    """Raises `LookupError` if there is nobody of that id."""
    try:
        return people(session, [user_id])[user_id]
    except KeyError:
        raise LookupError(f"There is no user {user_id}.") from None


def people(session: Session, user_ids: Iterable[int]) -> dict[int, Person]:
    """Those people by id; who does not exist is left out."""
    wanted = set(user_ids)
    if not wanted:
        return {}
    rows = session.execute(select(User.id, User.name, User.handle, User.email).where(User.id.in_(wanted)))
    return {row.id: Person(*row) for row in rows}
