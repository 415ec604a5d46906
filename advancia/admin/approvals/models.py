"""Approvals. The database holds that nobody decides on what they asked for, and that a decision stands."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import Timestamp


class Approval(Model):
    """Something that waits for a second person, or did.

    `subject` is what it is about, such as the id of a transaction; `terms` what exactly would be done. `withdrawn` is
    the asker's own word; every other end is another person's.
    """

    __tablename__ = "approval"
    __table_args__ = (
        CheckConstraint("kind IN ('rollback', 'refund', 'stray_credit', 'stray_return')", name="kind_known"),
        CheckConstraint("state IN ('open', 'granted', 'refused', 'withdrawn')", name="state_known"),
        CheckConstraint("char_length(reason) BETWEEN 1 AND 1000", name="reason_given"),
        CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)",
            name="decided_by_somebody",
        ),
        CheckConstraint(
            "state NOT IN ('granted', 'refused') OR decided_by <> asked_by", name="decided_by_another"
        ),
        CheckConstraint("state <> 'withdrawn' OR decided_by = asked_by", name="withdrawn_by_oneself"),
        Index("uq_approval_open", "kind", "subject", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_approval_kind_subject", "kind", "subject"),
        Index("ix_approval_asked_at", "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    state: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[Timestamp | None]
    decision: Mapped[str | None] = mapped_column(Text)
