"""How far the last checks of the ledger have come, and whether they come in time. Cheap to ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from advancia.core.clock import utcnow
from advancia.core.db import Session

PROOF_IS_LATE = timedelta(minutes=30)  # it runs every ten
SEAL_IS_LATE = timedelta(minutes=10)  # it runs every minute

BOOKS = text("""
    select (select proven_at from ledger.proof order by id desc limit 1) as proven_at,
           (select upto_txn from ledger.proof order by id desc limit 1) as proven_upto,
           (select sealed_at from ledger.seal order by id desc limit 1) as sealed_at,
           (select upto_txn from ledger.seal order by id desc limit 1) as sealed_upto,
           (select id from ledger.seal order by id desc limit 1) as seal,
           (select created_at from ledger.txn order by id limit 1) as begun_at,
           coalesce((select max(id) from ledger.txn), 0) as last_txn
""")
OLDEST_UNSEALED = text("select created_at from ledger.txn where id > :upto order by id limit 1")


@dataclass(frozen=True)
class Books:
    """How far the last checks of the ledger have come."""

    last_txn: int
    begun_at: datetime | None
    proven_at: datetime | None
    proven_upto: int
    seal: int | None
    sealed_at: datetime | None
    sealed_upto: int
    oldest_unsealed: datetime | None

    @property
    def unproven_since(self) -> datetime | None:
        """When they were last proven, or when they began; nothing to prove, no moment."""
        return self.proven_at or self.begun_at

    @property
    def proof_is_late(self) -> bool:
        return self.unproven_since is not None and utcnow() - self.unproven_since > PROOF_IS_LATE

    @property
    def seal_is_late(self) -> bool:
        """Whether something has waited for its seal for too long."""
        return self.oldest_unsealed is not None and utcnow() - self.oldest_unsealed > SEAL_IS_LATE


def books(session: Session) -> Books:
    row = session.execute(BOOKS).one()
    upto = row.sealed_upto or 0
    return Books(
        last_txn=row.last_txn,
        begun_at=row.begun_at,
        proven_at=row.proven_at,
        proven_upto=row.proven_upto or 0,
        seal=row.seal,
        sealed_at=row.sealed_at,
        sealed_upto=upto,
        oldest_unsealed=session.scalar(OLDEST_UNSEALED, {"upto": upto}),
    )
