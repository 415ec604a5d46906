"""The runs of the launch check, and the mailbox of its canaries."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.encryption import Ciphertext
from advancia.core.types import Timestamp


class RunState(StrEnum):
    """How far a run has come."""

    OPEN = "open"  # asked for, or under way
    DONE = "done"
    FAILED = "failed"  # it came to no end


class LaunchRun(Model):
    """One run of all checks, or of those that were asked for, with what each has found so far."""

    __tablename__ = "launch_run"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'done', 'failed')", name="state_known"),
        CheckConstraint("(state = 'open') = (finished_at IS NULL)", name="finished_says_when"),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failed_says_why"),
        # Two at once would use up each other's tries.
        Index("uq_launch_run_open", "state", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_launch_run_begun_at", "begun_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    state: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    # Nobody's when it was run by a command.
    asked_by: Mapped[int | None] = mapped_column(BigInteger)
    url: Mapped[str] = mapped_column(Text)
    begun_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    finished_at: Mapped[Timestamp | None]
    checks: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    # A list of {name, words, state, evidence, remedy, seconds}, in the order in which they were looked at.
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    failure: Mapped[str | None] = mapped_column(Text)


class CanaryLetter(Model):
    """A mail to a canary who signs up: no mail server would take it, and the check that waits for it reads it here."""

    __tablename__ = "canary_letter"
    __table_args__ = (Index("ix_canary_letter_email", "email"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    # It holds codes that sign people up, even if only these.
    text: Mapped[Ciphertext]
    arrived_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
