"""What the first page of staff tells: what waits for them, and whether the books are looked after. Cheap to ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from advancia.admin.approvals import queries as approvals
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.outbox import OutboxRow
from advancia.core.permissions import Role
from advancia.identity.models import SignUp, User

COUNTED = 10_000  # of anything that may be large; more than that is told as such
PROOF_IS_LATE = timedelta(minutes=30)  # it runs every ten
SEAL_IS_LATE = timedelta(minutes=10)  # it runs every minute
LATE = timedelta(minutes=5)  # for work whose time has come

BOOKS = text("""
    select (select proven_at from ledger.proof order by id desc limit 1) as proven_at,
           (select upto_txn from ledger.proof order by id desc limit 1) as proven_upto,
           (select sealed_at from ledger.seal order by id desc limit 1) as sealed_at,
           (select upto_txn from ledger.seal order by id desc limit 1) as sealed_upto,
           (select id from ledger.seal order by id desc limit 1) as seal,
           coalesce((select max(id) from ledger.txn), 0) as last_txn
""")
OLDEST_UNSEALED = text("select created_at from ledger.txn where id > :upto order by id limit 1")


@dataclass(frozen=True)
class Books:
    """How far the last checks of the ledger have come."""

    last_txn: int
    proven_at: datetime | None
    proven_upto: int
    seal: int | None
    sealed_at: datetime | None
    sealed_upto: int
    oldest_unsealed: datetime | None

    @property
    def proof_is_late(self) -> bool:
        return self.proven_at is None or utcnow() - self.proven_at > PROOF_IS_LATE

    @property
    def seal_is_late(self) -> bool:
        """Whether something has waited for its seal for too long."""
        return self.oldest_unsealed is not None and utcnow() - self.oldest_unsealed > SEAL_IS_LATE


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


def books(session: Session) -> Books:
    row = session.execute(BOOKS).one()
    upto = row.sealed_upto or 0
    return Books(
        last_txn=row.last_txn,
        proven_at=row.proven_at,
        proven_upto=row.proven_upto or 0,
        seal=row.seal,
        sealed_at=row.sealed_at,
        sealed_upto=upto,
        oldest_unsealed=session.scalar(OLDEST_UNSEALED, {"upto": upto}),
    )


def work(session: Session) -> Work:
    is_open = (OutboxRow.done_at.is_(None), OutboxRow.parked_at.is_(None))
    return Work(
        parked=_counted(session, OutboxRow.parked_at.is_not(None)),
        late=_counted(session, *is_open, OutboxRow.available_at < utcnow() - LATE),
    )


def people(session: Session) -> People:
    day = utcnow() - timedelta(days=1)
    return People(
        customers=_counted(session, User.role == Role.CUSTOMER),
        new=_counted(session, User.role == Role.CUSTOMER, User.created_at > day),
        suspended=_counted(session, User.role == Role.CUSTOMER, User.suspended_at.is_not(None)),
        unproved=_counted(session, SignUp.created_at > day, SignUp.verified_at.is_(None)),
    )


def waiting_approvals(session: Session) -> int:
    return approvals.open_count(session)


def _counted(session: Session, *conditions: object) -> int:
    some = select(text("1")).where(*conditions).limit(COUNTED).subquery()  # type: ignore[arg-type]
    return session.scalar(select(func.count()).select_from(some)) or 0
