"""Customers for staff: who is found, and what one page tells of one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, false, func, literal_column, or_, select

from advancia import ledger
from advancia.core.canaries import is_canary
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Asset, Money
from advancia.core.permissions import Role
from advancia.identity.models import User, UserSession
from advancia.identity.services import limits, sign_in
from advancia.identity.sessions import browsers, timeouts
from advancia.ledger import debts

_SIMPLE: ColumnElement[str] = literal_column("'simple'::regconfig")

State = Literal["active", "suspended"]

SHOWN_SESSIONS = 10
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class CustomerRow:
    """One line of the list."""

    id: int
    name: str
    handle: str
    email: str
    created_at: datetime
    suspended_at: datetime | None

    @property
    def is_canary(self) -> bool:
        """Whether this is nobody, but one of the launch check's."""
        return is_canary(self.email)


@dataclass(frozen=True)
class Customer(CustomerRow):
    """A customer as one page shows them."""

    email_verified_at: datetime
    password_changed_at: datetime
    second_factor_since: datetime | None
    terms_version: str
    terms_accepted_at: datetime


@dataclass(frozen=True)
class Balance:
    """What a customer has of one asset, and owes of it."""

    asset: Asset
    available: Money
    held: Money
    owed: Money

    @property
    def total(self) -> Money:
        return self.available + self.held - self.owed


@dataclass(frozen=True)
class SeenSession:
    """A session; address and browser only for whoever may see where people are."""

    id: int
    created_at: datetime
    last_used_at: datetime
    ends_at: datetime
    second_factor: bool
    address: str | None
    user_agent: str | None

    @property
    def is_open(self) -> bool:
        return self.ends_at > utcnow()

    @property
    def device(self) -> str:
        return browsers.in_words(self.user_agent)


@dataclass(frozen=True)
class SignIns:
    """How signing in has gone lately: wrong passwords that still count, and whether no more of them are looked at."""

    failed_lately: int
    allowed_lately: int
    failed_in_a_row: int
    locked: bool


def customers(
    session: Session, *, text: str | None, state: State | None, before: int | None, limit: int
) -> Sequence[CustomerRow]:
    """Those customers whom `text` may mean (email, @handle, name or id), the newest first, with ids below `before`."""
    chosen = select(User.id, User.name, User.handle, User.email, User.created_at, User.suspended_at).where(
        User.role == Role.CUSTOMER
    )
    if state is not None:
        chosen = chosen.where(
            User.suspended_at.is_not(None) if state == "suspended" else User.suspended_at.is_(None)
        )
    if before is not None:
        chosen = chosen.where(User.id < before)
    if text:
        # Found first and by themselves: the planner thinks that a word fits many, and would walk through everybody.
        found = chosen.where(_meant_by(text)).cte("found").prefix_with("MATERIALIZED")
        newest = select(found).order_by(found.c.id.desc())
    else:
        newest = chosen.order_by(User.id.desc())
    return [CustomerRow(*row) for row in session.execute(newest.limit(limit))]


def id_of(session: Session, text: str) -> int | None:
    """The one customer whose whole email, @handle or id `text` is."""
    wanted = text.strip().lower()
    if wanted.startswith("@"):
        exactly = User.handle == wanted[1:]
    elif "@" in wanted:
        exactly = User.email == wanted
    else:
        exactly = _meant_by(wanted) if wanted.isascii() and wanted.isdecimal() else false()
    found: int | None = session.scalar(select(User.id).where(exactly, User.role == Role.CUSTOMER))
    return found


def named(session: Session, text: str) -> int:
    """As `id_of`, for a customer that there has to be. Raises `NotFound`."""
    found = id_of(session, text)
    if found is None:
        raise NotFound("There is no such customer.")
    return found


def customer(session: Session, user_id: int) -> Customer:
    """Raises `NotFound` for whoever is none, staff included."""
    names = Customer.__dataclass_fields__
    row = (
        session.execute(
            select(*(getattr(User, name) for name in names)).where(
                User.id == user_id, User.role == Role.CUSTOMER
            )
        ).one_or_none()
        if user_id <= LARGEST_ID
        else None
    )
    if row is None:
        raise NotFound("There is no customer of that id.")
    return Customer(**dict(zip(names, row, strict=True)))


def balances(session: Session, user_id: int) -> list[Balance]:
    """What the customer has of each asset; of those never held nothing is told."""
    owed = debts.owed_by(session, user_id)
    told = [
        Balance(each.asset, each.available, each.held, owed.get(each.asset, Money.zero(each.asset)))
        for each in ledger.balances_of(session, user_id)
    ]
    return [each for each in told if each.available or each.held or each.owed]


def sessions(session: Session, user_id: int, *, with_origin: bool) -> list[SeenSession]:
    """The customer's newest sessions. Without `with_origin` the addresses and browsers are not even read."""
    rows = session.execute(
        select(
            UserSession.id,
            UserSession.created_at,
            UserSession.last_used_at,
            timeouts.ends_at(),
            UserSession.second_factor_at.is_not(None),
            *((UserSession.address, UserSession.user_agent) if with_origin else (_unread(), _unread())),
        )
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.user_id == user_id)
        .order_by(UserSession.id.desc())
        .limit(SHOWN_SESSIONS)
    )
    return [SeenSession(*row) for row in rows]


def sign_ins(session: Session, email: str) -> SignIns:
    """How signing in with that address has gone lately."""
    return SignIns(
        failed_lately=limits.count(session, sign_in.BY_ACCOUNT, email),
        allowed_lately=sign_in.BY_ACCOUNT.allowed,
        failed_in_a_row=limits.count(session, sign_in.STRANGERS_IN_ALL, email),
        locked=sign_in.is_locked(session, email=email),
    )


def _meant_by(text: str) -> ColumnElement[bool]:
    wanted = text.strip().lower()
    if wanted.isascii() and wanted.isdecimal():
        return User.id == int(wanted) if int(wanted) <= LARGEST_ID else false()
    if wanted.startswith("@"):
        return User.handle.startswith(wanted[1:], autoescape=True)
    if "@" in wanted:
        return User.email.startswith(wanted, autoescape=True)
    words = re.findall(r"\w+", wanted)
    if not words:
        return false()
    return or_(
        _words_of_names().bool_op("@@")(
            func.to_tsquery(_SIMPLE, " & ".join(f"'{word}':*" for word in words))
        ),
        User.handle.startswith(wanted, autoescape=True),
        User.email.startswith(wanted, autoescape=True),
    )


def _words_of_names() -> ColumnElement[object]:
    """As the index has it."""
    return func.to_tsvector(_SIMPLE, User.name)


def _unread() -> ColumnElement[None]:
    return literal_column("null")
