"""The lines of the audit trail."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import Timestamp


class AuditRecord(Model):
    """One change. The database numbers and dates it, and lets nobody change or delete it.

    `actor_id` is nobody's when the product itself did it. `before` and `after` hold what the action is about.
    """

    __tablename__ = "audit_record"
    __table_args__ = (
        Index("ix_audit_record_object_kind_object_id_id", "object_kind", "object_id", "id"),
        Index("ix_audit_record_actor_id_id", "actor_id", "id"),
        Index("ix_audit_record_action_id", "action", "id"),
        Index("ix_audit_record_object_kind_id", "object_kind", "id"),
        Index("ix_audit_record_recorded_at", "recorded_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    recorded_at: Mapped[Timestamp] = mapped_column(server_default=func.clock_timestamp())
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    role: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    object_kind: Mapped[str] = mapped_column(Text)
    object_id: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    address: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
