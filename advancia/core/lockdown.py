"""The lockdown: one row that says whether money is paused, and what goes on meanwhile.

The row is what pages and jobs look at. That nothing is posted while it is set, the ledger itself sees to
(`advancia.ledger.freezing`); `advancia.ops.lockdown` switches both. A total lockdown is that of a restore: the database
is about to be another one, so nothing at all goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import psycopg
from psycopg.errors import LockNotAvailable, UndefinedTable
from sqlalchemy import BigInteger, CheckConstraint, Engine, Text, func, text, update
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.clock import utcnow
from advancia.core.db import Model, Session
from advancia.core.errors import DomainError
from advancia.core.jobs import Job
from advancia.core.types import Timestamp

LOOK_AGAIN_SECONDS = 0.5  # so old may be what a process knows

# What may be done while money is paused: nothing of it moves any, here or at a provider. What is not listed waits.
GOES_ON = frozenset({
    Job.SEND_EMAIL, Job.OPEN_PASSWORD_RESET, Job.ANNOUNCE_FACTOR_RESET, Job.TELL_OF_LOCK, Job.TELL_OF_ALARM,
    Job.CHECK_LEDGER, Job.PROVE_LEDGER, Job.ROLL_UP_LEDGER, Job.SEAL_LEDGER, Job.SWEEP,
    Job.BACK_UP, Job.PROVE_BACKUP, Job.PRUNE_BACKUPS, Job.WATCH_BACKUPS, Job.RECONCILE, Job.CHECK_LAUNCH,
})  # fmt: skip


class MoneyPaused(DomainError):
    """Money stands still for now; nothing was done, and the same may be asked again later."""

    def __init__(self) -> None:
        super().__init__(
            "Money is paused while we look after the books. Nothing was moved now. Your balances are safe; "
            "try again in a while."
        )


class LockdownRow(Model):
    """The one row; `since` is empty while money moves."""

    __tablename__ = "lockdown"
    __table_args__ = (
        CheckConstraint("is_one", name="is_one"),
        CheckConstraint("(since IS NULL) = (reason IS NULL)", name="says_why"),
        CheckConstraint("since IS NOT NULL OR NOT is_total", name="total_is_on"),
    )

    is_one: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    since: Mapped[Timestamp | None]
    reason: Mapped[str | None] = mapped_column(Text)
    set_by: Mapped[int | None] = mapped_column(BigInteger)
    is_total: Mapped[bool] = mapped_column(server_default=text("false"))


@dataclass(frozen=True)
class Lockdown:
    """A lockdown that is on: since when, why, and whether nothing at all goes on."""

    since: datetime
    reason: str
    set_by: int | None
    is_total: bool

    def stops(self, kind: str) -> bool:
        """Whether jobs of that kind wait until it is over."""
        return self.is_total or kind not in GOES_ON


def state(session: Session) -> Lockdown | None:
    """The lockdown that is on now, if there is one."""
    row = session.execute(text(_STATE)).one_or_none()
    return Lockdown(*row) if row is not None else None


def switch_on(session: Session, *, reason: str, set_by: int | None = None, is_total: bool = False) -> bool:
    """Set the row; tell whether it was not set before. Repeatable: what it says is replaced, its beginning stays."""
    was_on = state(session) is not None
    session.execute(
        update(LockdownRow).values(
            since=func.coalesce(LockdownRow.since, func.now()),
            reason=reason,
            set_by=set_by,
            is_total=is_total,
        )
    )
    return not was_on


def switch_off(session: Session) -> bool:
    """Clear the row; tell whether it was set."""
    row = session.execute(
        update(LockdownRow)
        .where(LockdownRow.since.is_not(None))
        .values(since=None, reason=None, set_by=None, is_total=False)
        .returning(LockdownRow.is_one)
    )
    return row.first() is not None


class Watch:
    """What a process knows of the lockdown, at most half a second old, at one small read in that time."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._known: Lockdown | None = None
        self._looked_at = float("-inf")
        self._looking = threading.Lock()

    def now(self) -> Lockdown | None:
        """The lockdown that is on. While one thread looks, others go by what was known. Raises the driver's errors."""
        if time.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS:
            return self._known
        if self._looking.acquire(blocking=self._looked_at == float("-inf")):
            try:
                self._known = self._look()
                self._looked_at = time.monotonic()
            finally:
                self._looking.release()
        return self._known

    def forget(self) -> None:
        """Look anew when next asked, since this process has just switched it."""
        self._looked_at = float("-inf")

    def _look(self) -> Lockdown | None:
        """On a connection of its own, since nothing may wait for a database that is being replaced."""
        with self._engine().connect() as connection:
            driver = cast("psycopg.Connection[tuple[Any, ...]]", connection.connection.driver_connection)
            try:
                answers = driver.execute(_LOOK)
                answers.nextset()
                row = answers.fetchone()
            except (LockNotAvailable, UndefinedTable):  # only a restore does either
                return Lockdown(utcnow(), "The database is being replaced.", None, is_total=True)
            finally:
                driver.rollback()
        return Lockdown(*row) if row is not None else None


_STATE = "select since, reason, set_by, is_total from lockdown where since is not null"
# Both in one round trip.
_LOOK = f"set local lock_timeout = '300ms'; {_STATE}"
