"""The inbox."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import Timestamp


class WebhookEvent(Model):
    """A verified event as it came, how it was verified, and what became of it.

    `received`: waits for its job. `applied`: it changed something, or what it says was so already.
    `ignored`: not a kind that we act on. `parked`: its job gave up; staff decide. `payment_id`: the payment in suspense
    that a parked event waits for, as its provider calls it.
    """

    __tablename__ = "webhook_event"
    __table_args__ = (
        UniqueConstraint("provider", "event_id"),
        CheckConstraint("state IN ('received', 'applied', 'ignored', 'parked')", name="state_known"),
        Index("ix_webhook_event_received", "received_at", postgresql_where=text("state = 'received'")),
        Index("ix_webhook_event_parked", "received_at", postgresql_where=text("state = 'parked'")),
        Index("ix_webhook_event_kind", "provider", "kind", "received_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    object_id: Mapped[str | None] = mapped_column(Text)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text, server_default=text("'received'"))
    outcome: Mapped[str | None] = mapped_column(Text)
    payment_id: Mapped[str | None] = mapped_column(Text)
    verification: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    received_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    settled_at: Mapped[Timestamp | None]


class WebhookTry(Model):
    """A try to apply an event that came to nothing, and why."""

    __tablename__ = "webhook_try"
    __table_args__ = (Index("ix_webhook_try_event_id_id", "event_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("webhook_event.id", ondelete="CASCADE"))
    attempt: Mapped[int] = mapped_column(Integer)
    error: Mapped[str] = mapped_column(Text)
    tried_at: Mapped[Timestamp] = mapped_column(server_default=func.clock_timestamp())
