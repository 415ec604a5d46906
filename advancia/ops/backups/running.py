"""The row of a backup while it is made, and the lock by which one at a time is made.

The lock belongs to a connection, so it goes with the process that holds it. Whoever has it knows that every other row
that says it runs was left by a process that is gone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import psycopg
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError, OperationalError

from advancia.core.clock import utcnow
from advancia.core.db import Session, db, unit_of_work
from advancia.core.locks import Lock
from advancia.ops.backups import queries
from advancia.ops.backups.errors import BackupFailed, BackupRunning
from advancia.ops.backups.models import Backup, State, Why

PROGRESS_SECONDS = 1.0
PATIENCE_SECONDS = 60.0  # for a database that is being restarted
BETWEEN_TRIES_SECONDS = 0.2
USUAL_SHARE = 0.2  # of a database's size, once its rows are compressed and its indexes left out
TO_BEGIN_SECONDS = 2.0  # for whoever wants to make one
NOT_TAKEN_UP = timedelta(hours=1)
BROKEN_OFF = "It was broken off: the process that made it has ended. Nothing of it is kept."
NEVER_BEGUN = "It was asked for, and no worker has taken it up: look whether one runs, then ask again."

T = TypeVar("T")


@contextmanager
def only_one(database_url: str, *, patience: float = 0.0) -> Iterator[int]:
    """Be the one who makes backups, and give how many were left by processes that are gone.

    Raises `BackupRunning` after so many seconds: others hold the lock for a moment to see who is gone.
    """
    until = time.monotonic() + patience
    with psycopg.connect(database_url, autocommit=True, application_name="backup lock") as guard:
        while not _is_locked_by(guard):
            if time.monotonic() > until:
                raise BackupRunning(running_words(_since()))
            time.sleep(BETWEEN_TRIES_SECONDS)
        yield close_lost()


def _is_locked_by(guard: psycopg.Connection[tuple[bool, ...]]) -> bool:
    row = guard.execute("SELECT pg_try_advisory_lock(%s)", (Lock.BACKUP,)).fetchone()
    return bool(row and row[0])


def running_words(since: datetime | None) -> str:
    """What the second one is told."""
    when = f" since {since.astimezone(UTC):%H:%M:%S UTC on %d %B %Y}" if since else ""
    return f"A backup is being made already{when}. Wait until it is done."


def new_name(now: datetime) -> str:
    """The name of a backup that is begun at that time; no two are alike."""
    return f"{now:%Y-%m-%dT%H%M%SZ}-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class Begun:
    """A backup that is being made."""

    id: int
    name: str
    why: str
    begun_at: datetime


def begin(*, why: Why, target: str, asked_by: int | None, backup_id: int | None) -> Begun:
    """Write down that it runs: the row that waits for it, or a new one. Raises `BackupFailed` if it waits no more."""
    now = utcnow()
    with unit_of_work() as session:
        if backup_id is None:
            backup = Backup(
                name=new_name(now), why=why, state=State.RUNNING, asked_by=asked_by, target=target
            )
            session.add(backup)
        else:
            backup = session.get_one(Backup, backup_id, with_for_update=True)
            if backup.state != State.WAITING:
                raise BackupFailed(f"The backup {backup.name} was taken up before, and has ended.")
            backup.state, backup.target = State.RUNNING, target
        backup.begun_at = now
        session.flush()
        return Begun(backup.id, backup.name, backup.why, now)


def fail(backup_id: int, words: str) -> bool:
    """Write down that it failed; false when somebody else has ended the row."""

    def act(session: Session) -> bool:
        ended = update(Backup).where(Backup.id == backup_id, Backup.state.in_((State.RUNNING, State.WAITING)))
        values = {"state": State.FAILED, "failure": words, "finished_at": func.now()}
        return session.execute(ended.values(values).returning(Backup.id)).first() is not None

    return insist(act)


def close_lost() -> int:
    """Fail the rows that say they run or wait though nobody works on them; give how many. The caller holds the lock."""
    failed = {"state": State.FAILED, "finished_at": func.now()}
    late = (Backup.state == State.WAITING, Backup.begun_at < utcnow() - NOT_TAKEN_UP)
    with unit_of_work() as session:
        lost = session.execute(
            update(Backup)
            .where(Backup.state == State.RUNNING)
            .values(failed | {"failure": BROKEN_OFF})
            .returning(Backup.id)
        ).all()
        never = session.execute(
            update(Backup).where(*late).values(failed | {"failure": NEVER_BEGUN}).returning(Backup.id)
        ).all()
    return len(lost) + len(never)


def insist(act: Callable[[Session], T]) -> T:
    """Do it in a unit of work, again for a minute while the database is away. Safe to do twice is for the caller."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with unit_of_work() as session:
                return act(session)
        except OperationalError:
            if time.monotonic() > until:
                raise
            db.session.remove()
            time.sleep(BETWEEN_TRIES_SECONDS)


class Progress:
    """Tells the row how much is stored, each second at most, in a transaction of its own."""

    def __init__(self, backup_id: int) -> None:
        self._backup_id = backup_id
        self._told = time.monotonic()

    def __call__(self, written: int) -> None:
        if time.monotonic() < self._told + PROGRESS_SECONDS:
            return
        self._told = time.monotonic()
        # Where the database is away, pg_dump says so in a moment.
        with suppress(DBAPIError), unit_of_work() as session:
            session.execute(update(Backup).where(Backup.id == self._backup_id).values(written_bytes=written))

    def expect(self, *, database_bytes: int) -> None:
        """Tell how much there will be: as much as last time, or else what a database of that size comes to."""
        with unit_of_work() as session:
            last = queries.last_done(session)
            expected = (last and last.stored_bytes) or int(database_bytes * USUAL_SHARE)
            session.execute(
                update(Backup).where(Backup.id == self._backup_id).values(expected_bytes=expected)
            )


def _since() -> datetime | None:
    since = db.session.scalar(select(Backup.begun_at).where(Backup.state == State.RUNNING))
    db.session.rollback()
    return since
