"""Deposits."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import MINOR_UNITS, Timestamp


class Deposit(Model):
    """Money that a customer wants to pay in, from the wish to the credit.

    `created`: asked for, no checkout yet. `pending`: the provider's checkout stands open, or its payment is on
    the way. `paid`: credited. `failed`, `expired`: nothing was paid; a late payment still turns them `paid`.
    """

    __tablename__ = "deposit"
    __table_args__ = (
        UniqueConstraint("user_id", "request_id"),
        CheckConstraint("state IN ('created', 'pending', 'paid', 'failed', 'expired')", name="state_known"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="paid_has_time"),
        Index("ix_deposit_open", "expires_at", postgresql_where=text("state IN ('created', 'pending')")),
        Index("ix_deposit_user_id_created_at", "user_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    request_id: Mapped[UUID]
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(MINOR_UNITS)
    provider: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=text("'created'"))
    checkout_id: Mapped[str | None] = mapped_column(Text, unique=True)
    checkout_url: Mapped[str | None] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    expires_at: Mapped[Timestamp]
    paid_at: Mapped[Timestamp | None]
