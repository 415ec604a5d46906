"""Transfers."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import MINOR_UNITS, Timestamp


class Transfer(Model):
    """Money that one customer sent to another; written in the same unit of work as its posting."""

    __tablename__ = "transfer"
    __table_args__ = (
        UniqueConstraint("sender_id", "request_id"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("fee >= 0", name="fee_not_negative"),
        CheckConstraint("sender_id <> recipient_id", name="not_to_oneself"),
        CheckConstraint("char_length(note) <= 140", name="note_length"),
        Index("ix_transfer_recipient_id", "recipient_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    sender_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    recipient_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[UUID]
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(MINOR_UNITS)
    fee: Mapped[Decimal] = mapped_column(MINOR_UNITS, server_default=text("0"))
    note: Mapped[str] = mapped_column(Text, server_default=text("''"))
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
