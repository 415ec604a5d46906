"""Staff: their accounts and roles. Nobody changes their own, and an owner who can sign in always stays.

A customer's account never becomes one of staff, since staff have no wallet; the database holds both rules as well.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import func, select

from advancia import audit
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.permissions import Role, is_staff
from advancia.identity import notices
from advancia.identity.errors import AlreadySo, RoleRefused
from advancia.identity.models import User
from advancia.identity.notices import Notice
from advancia.identity.services import sign_up, suspension
from advancia.identity.sessions import services as sessions

OWNERS = "users:owners"  # the lock that the database's trigger takes as well
TAKEN = "This address has an account already. Staff need an address of their own."
OWN = "You cannot change your own. Ask another owner."
LAST = "This is the last owner. Make somebody else an owner first."
NO_STAFF_ROLE = "That is not a role of staff."


def create(
    session: Session,
    *,
    actor: Actor | None,
    email: str,
    name: str,
    role: str,
    password_hash: str,
    terms_version: str,
    reason: str,
) -> int:
    """Create a member of staff and return their id; without `actor` it is the product's own act, from its shell.

    They set up a second factor before the first staff page. Raises `RoleRefused` when the address has an account.
    """
    if not is_staff(role):
        raise RoleRefused(NO_STAFF_ROLE)
    user_id = sign_up.create_user(
        session,
        email=email,
        name=name,
        password_hash=password_hash,
        terms_version=terms_version,
        terms_accepted_at=utcnow(),
        role=role,
    )
    if user_id is None:
        raise RoleRefused(TAKEN)
    _note_creation(session, actor, user_id, {"role": role, "email": email.lower()}, reason)
    return user_id


def change_role(session: Session, *, actor: Actor, user_id: int, role: str, reason: str) -> None:
    """Give that member of staff another role. Their sessions end: what they may do is asked anew.

    Raises `NotFound` for whoever is not staff, `RoleRefused` for oneself and for the last owner, `AlreadySo`.
    """
    if not is_staff(role):
        raise RoleRefused(NO_STAFF_ROLE)
    person = _held(session, actor, user_id)
    if person.role == role:
        raise AlreadySo(f"This is {person.name}'s role already.")
    if person.role == Role.OWNER:
        _refuse_the_last(session, person)
    before, person.role = person.role, role
    session.flush()
    ended = sessions.end_all(session, user_id=user_id)
    notices.tell(
        session, user_id=user_id, notice=Notice.ROLE_CHANGED, lines=(("Your role", role.capitalize()),)
    )
    audit.record(
        session,
        actor,
        action="role.changed",
        kind="user",
        id=user_id,
        before={"role": before},
        after={"role": role, "sessions_ended": ended},
        reason=reason,
    )


def suspend(session: Session, *, actor: Actor, user_id: int, reason: str) -> None:
    """Keep that member of staff out from now on. Raises as `change_role` does."""
    person = _held(session, actor, user_id)
    if person.role == Role.OWNER:
        _refuse_the_last(session, person)
    suspension.suspend(session, actor=actor, user_id=user_id, reason=reason, staff=True)


def reinstate(session: Session, *, actor: Actor, user_id: int, reason: str) -> None:
    """Let that member of staff in again. Raises as `change_role` does."""
    _held(session, actor, user_id)
    suspension.reinstate(session, actor=actor, user_id=user_id, reason=reason, staff=True)


def _note_creation(
    session: Session, actor: Actor | None, user_id: int, facts: dict[str, str], reason: str
) -> None:
    record = partial(audit.record, session, actor) if actor else partial(audit.record_of_system, session)
    record(action="staff.created", kind="user", id=user_id, after=facts, reason=reason)


def _held(session: Session, actor: Actor, user_id: int) -> User:
    """The member of staff, locked; whoever changes staff takes turns, so that no two take the last owners away."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(OWNERS, 0))))
    person = session.get(User, user_id, with_for_update={"key_share": True}, populate_existing=True)
    if person is None or not is_staff(person.role):
        raise NotFound("There is nobody of that id among staff.")
    if person.id == actor.user_id:
        raise RoleRefused(OWN)
    return person


def _refuse_the_last(session: Session, person: User) -> None:
    other = select(User.id).where(User.role == Role.OWNER, User.suspended_at.is_(None), User.id != person.id)
    if person.suspended_at is None and session.scalar(other.limit(1)) is None:
        raise RoleRefused(LAST)
