"""Backups, as the pages, the commands and the clock ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.ops.backups.errors import NoSuchBackup
from advancia.ops.backups.models import Backup, BackupProof, ProofState, State

MOST_SHARE = 99  # per cent, until it is done


@dataclass(frozen=True)
class BackupRow:
    """One backup as a list shows it; `proven_at` is when its last proof passed, `disproven_at` when its last failed."""

    id: int
    name: str
    why: str
    state: str
    asked_by: int | None
    begun_at: datetime
    finished_at: datetime | None
    pruned_at: datetime | None
    target: str
    stored_bytes: int | None
    written_bytes: int
    expected_bytes: int | None
    failure: str | None
    proven_at: datetime | None
    disproven_at: datetime | None

    @property
    def is_under_way(self) -> bool:
        return self.state in (State.WAITING, State.RUNNING)

    @property
    def share(self) -> int:
        """How much is done, in per cent, as far as can be told."""
        if not self.expected_bytes:
            return 0
        return min(MOST_SHARE, 100 * self.written_bytes // self.expected_bytes)

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.finished_at - self.begun_at).total_seconds() if self.finished_at else None

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        moments = ("begun_at", "finished_at", "pruned_at", "proven_at", "disproven_at")
        told = {
            name: getattr(self, name)
            for name in ("id", "name", "why", "state", "target", "stored_bytes", "failure", "seconds")
        }
        return told | {name: at.isoformat() if (at := getattr(self, name)) else None for name in moments}


def backups(session: Session, *, before: int | None = None, limit: int = 1000) -> list[BackupRow]:
    """A page of them, the newest first, below the number `before`."""
    chosen = _rows().order_by(Backup.id.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(Backup.id < before)
    return [BackupRow(*row) for row in session.execute(chosen)]


def row_of(session: Session, backup_id: int) -> BackupRow:
    """One of them. Raises `NoSuchBackup`."""
    row = session.execute(_rows().where(Backup.id == backup_id)).one_or_none()
    if row is None:
        raise NoSuchBackup("There is no such backup.")
    return BackupRow(*row)


def under_way(session: Session) -> BackupRow | None:
    """The one that waits or runs, by its row; whether a process works on it, only the lock tells."""
    chosen = _rows().where(Backup.state.in_((State.WAITING, State.RUNNING))).order_by(Backup.state, Backup.id)
    row = session.execute(chosen.limit(1)).one_or_none()
    return BackupRow(*row) if row else None


def last_done(session: Session) -> Backup | None:
    """The newest that is there."""
    return session.scalars(
        select(Backup).where(Backup.state == State.DONE).order_by(Backup.begun_at.desc()).limit(1)
    ).one_or_none()


def by_name(session: Session, name: str) -> Backup:
    """Raises `NoSuchBackup`."""
    backup = session.scalars(select(Backup).where(Backup.name == name)).one_or_none()
    if backup is None:
        raise NoSuchBackup(f"There is no backup {name!r}: flask backup list names those that there are.")
    return backup


def done(session: Session) -> Sequence[Backup]:
    """All that are there, the newest first."""
    return session.scalars(
        select(Backup).where(Backup.state == State.DONE).order_by(Backup.begun_at.desc(), Backup.id.desc())
    ).all()


def proofs_of(session: Session, backup_id: int) -> Sequence[BackupProof]:
    """The newest first."""
    return session.scalars(
        select(BackupProof).where(BackupProof.backup_id == backup_id).order_by(BackupProof.id.desc())
    ).all()


def last_proven_id(session: Session) -> int | None:
    """The backup of the last proof that has passed."""
    return session.scalar(
        select(BackupProof.backup_id)
        .where(BackupProof.state == ProofState.PASSED)
        .order_by(BackupProof.finished_at.desc())
        .limit(1)
    )


def being_proven(session: Session) -> set[int]:
    """Backups that a proof may be reading now."""
    return set(session.scalars(select(BackupProof.backup_id).where(BackupProof.state == ProofState.RUNNING)))


def age_of_last(session: Session) -> float | None:
    """Seconds since the last complete backup saw its moment; None when there is none."""
    last = last_done(session)
    return (utcnow() - last.begun_at).total_seconds() if last else None


def _rows() -> Select[*tuple[Any, ...]]:
    return select(
        Backup.id, Backup.name, Backup.why, Backup.state, Backup.asked_by, Backup.begun_at, Backup.finished_at,
        Backup.pruned_at, Backup.target, Backup.stored_bytes, Backup.written_bytes, Backup.expected_bytes,
        Backup.failure, _last(ProofState.PASSED), _last(ProofState.FAILED),
    )  # fmt: skip


def _last(state: ProofState) -> Any:
    return (
        select(BackupProof.finished_at)
        .where(BackupProof.backup_id == Backup.id, BackupProof.state == state)
        .order_by(BackupProof.finished_at.desc())
        .limit(1)
        .scalar_subquery()
    )
