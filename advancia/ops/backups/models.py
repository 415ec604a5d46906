"""The tables of backups and of the proofs that they can be restored.

Neither refers to the people who asked: after a restore, the rows of what was made since are put back, and those who
asked for it may be unknown to the older books.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.encryption import Ciphertext
from advancia.core.types import Timestamp


class Why(StrEnum):
    """What a backup was made for."""

    DAILY = "daily"
    ASKED = "asked"
    SAFETY = "safety"  # before a restore


class State(StrEnum):
    """How far a backup has come. Only a `done` one is there to be restored."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    PRUNED = "pruned"


class ProofState(StrEnum):
    """How far the proof of a backup has come."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class Backup(Model):
    """One backup, or one try at it; its row outlives its parts."""

    __tablename__ = "backup"
    __table_args__ = (
        CheckConstraint("why IN ('daily', 'asked', 'safety')", name="why_known"),
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed', 'pruned')", name="state_known"),
        CheckConstraint(
            "state NOT IN ('done', 'pruned') OR (finished_at IS NOT NULL AND stored_bytes IS NOT NULL"
            " AND sha256 IS NOT NULL AND manifest IS NOT NULL)",
            name="done_is_whole",
        ),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failed_says_why"),
        CheckConstraint("(state = 'pruned') = (pruned_at IS NOT NULL)", name="pruned_says_when"),
        # Only the newest one may be opened by the server itself, see `keys`.
        CheckConstraint("proof_identity IS NULL OR state = 'done'", name="only_done_has_key"),
        Index("uq_backup_running", "state", unique=True, postgresql_where=text("state = 'running'")),
        Index("uq_backup_waiting", "state", unique=True, postgresql_where=text("state = 'waiting'")),
        Index("ix_backup_state_begun_at", "state", "begun_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    why: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[int | None] = mapped_column(BigInteger)
    begun_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    finished_at: Mapped[Timestamp | None]
    pruned_at: Mapped[Timestamp | None]
    target: Mapped[str] = mapped_column(Text)
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(Text)
    manifest: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # How much is written, and how much there will be as far as can be told.
    written_bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    expected_bytes: Mapped[int | None] = mapped_column(BigInteger)
    failure: Mapped[str | None] = mapped_column(Text)
    # What opens this backup for its proof; wiped as soon as there is a newer one.
    proof_identity: Mapped[Ciphertext | None]


class BackupProof(Model):
    """One try to restore a backup beside the product and to find everything in it."""

    __tablename__ = "backup_proof"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'passed', 'failed')", name="state_known"),
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_says_when"),
        CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="failed_says_why"),
        Index("ix_backup_proof_backup_id", "backup_id"),
        Index("ix_backup_proof_state_finished_at", "state", "finished_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    backup_id: Mapped[int] = mapped_column(ForeignKey("backup.id"))
    state: Mapped[str] = mapped_column(Text, server_default=text("'running'"))
    asked_by: Mapped[int | None] = mapped_column(BigInteger)
    begun_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    finished_at: Mapped[Timestamp | None]
    reason: Mapped[str | None] = mapped_column(Text)
    # A list of {name, ok, words, seconds}, in the order in which they were looked at.
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    restore_seconds: Mapped[float | None] = mapped_column(Double)
    lag_seconds: Mapped[float | None] = mapped_column(Double)
