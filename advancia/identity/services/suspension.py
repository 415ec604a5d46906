"""Suspending a person and letting them in again.

A suspended person has no session and gets none, and money neither leaves nor reaches them: whoever moves it holds the
row of each person it is about (`hold_open`), and so does whoever suspends.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from advancia import audit
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.permissions import is_staff
from advancia.identity import notices
from advancia.identity.errors import AlreadySo
from advancia.identity.models import User
from advancia.identity.notices import Notice
from advancia.identity.sessions import services as sessions

SUSPENDED_WORDS = (
    "You cannot sign in, and no money can be sent from or to your account. What you hold stays yours. "
    "Write to support if you want to know more."
)
SUSPENDED_STAFF_WORDS = "You cannot sign in to the staff pages. Ask an owner if you want to know more."
REINSTATED_WORDS = "You can sign in and use it as before."


def suspend(session: Session, *, actor: Actor, user_id: int, reason: str, staff: bool = False) -> None:
    """Suspend the customer: end all their sessions and stop their money, with the caller's commit.

    Sends under way are waited for; those that come later are refused. Raises `NotFound` for whoever is no customer
    (or is one, with `staff`; then see `services.staff`), `AlreadySo` when they are suspended already.
    """
    person = _locked(session, user_id, staff=staff)
    if person.suspended_at is not None:
        raise AlreadySo("This account is suspended already.")
    person.suspended_at = utcnow()
    session.flush()
    ended = sessions.end_all(session, user_id=user_id)
    words = SUSPENDED_STAFF_WORDS if staff else SUSPENDED_WORDS
    notices.tell(session, user_id=user_id, notice=Notice.SUSPENDED, sentence=words)
    audit.record(
        session,
        actor,
        action="user.suspended",
        kind="user",
        id=user_id,
        before={"suspended": False},
        after={"suspended": True, "sessions_ended": ended},
        reason=reason,
    )


def reinstate(session: Session, *, actor: Actor, user_id: int, reason: str, staff: bool = False) -> None:
    """Open the customer's account again. Raises `NotFound` and `AlreadySo` as `suspend` does."""
    person = _locked(session, user_id, staff=staff)
    if person.suspended_at is None:
        raise AlreadySo("This account is open already.")
    person.suspended_at = None
    session.flush()
    # One that was being opened just when they were suspended would come to life now.
    sessions.end_all(session, user_id=user_id)
    notices.tell(session, user_id=user_id, notice=Notice.REINSTATED, sentence=REINSTATED_WORDS)
    audit.record(
        session,
        actor,
        action="user.reinstated",
        kind="user",
        id=user_id,
        before={"suspended": True},
        after={"suspended": False},
        reason=reason,
    )


def hold_open(session: Session, user_ids: Iterable[int]) -> set[int]:
    """Keep those people from being suspended until the caller's unit of work ends; return who of them is not.

    Many may hold one person at once. Call it before posting: the people come before the accounts in the order of locks.
    """
    rows = session.execute(
        select(User.id, User.suspended_at)
        .where(User.id.in_(sorted(user_ids)))
        .order_by(User.id)
        .with_for_update(read=True)
    )
    return {user_id for user_id, suspended_at in rows if suspended_at is None}


def _locked(session: Session, user_id: int, *, staff: bool) -> User:
    person = session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if person is None or is_staff(person.role) is not staff:
        raise NotFound("There is nobody of that id.")
    return person
