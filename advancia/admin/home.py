"""What the first page of staff tells: what waits for them, and whether the books are looked after. Cheap to ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text

from advancia.admin.approvals import queries as approvals
from advancia.core.canaries import are_canaries
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.outbox import OutboxRow
from advancia.core.permissions import Role
from advancia.identity.models import SignUp, User

COUNTED = 10_000  # of anything that may be large; more than that is told as such
LATE = timedelta(minutes=5)  # for work whose time has come


@dataclass(frozen=True)
class Work:
    """Background work that does not get on."""

    parked: int
    late: int


@dataclass(frozen=True)
class People:
    """Customers in figures; `COUNTED` means that many or more."""

    customers: int
    new: int
    suspended: int
    unproved: int


def work(session: Session) -> Work:
    is_open = (OutboxRow.done_at.is_(None), OutboxRow.parked_at.is_(None))
    return Work(
        parked=_counted(session, OutboxRow.parked_at.is_not(None)),
        late=_counted(session, *is_open, OutboxRow.available_at < utcnow() - LATE),
    )


def people(session: Session) -> People:
    day = utcnow() - timedelta(days=1)
    real = (User.role == Role.CUSTOMER, ~are_canaries(User.email))
    return People(
        customers=_counted(session, *real),
        new=_counted(session, *real, User.created_at > day),
        suspended=_counted(session, *real, User.suspended_at.is_not(None)),
        unproved=_counted(
            session, SignUp.created_at > day, SignUp.verified_at.is_(None), ~are_canaries(SignUp.email)
        ),
    )


def waiting_approvals(session: Session) -> int:
    return approvals.open_count(session)


def _counted(session: Session, *conditions: object) -> int:
    some = select(text("1")).where(*conditions).limit(COUNTED).subquery()  # type: ignore[arg-type]
    return session.scalar(select(func.count()).select_from(some)) or 0
