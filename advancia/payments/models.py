"""Deposits, and what may come after them: refunds, disputes, and payments that fit no deposit."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import MINOR_UNITS, Timestamp


class Deposit(Model):
    """Money that a customer wants to pay in, from the wish to the credit.

    `created`: asked for, no checkout yet. `pending`: the provider's checkout stands open, or its payment is on
    the way. `paid`: credited. `failed`, `expired`: nothing was paid; a late payment still turns them `paid`.
    `locked`: something arrived that somebody has to look at first. `returned`: the provider gave it back uncredited.
    `amount` is what was asked for, `credited` what came. `checkout_id` names the checkout or invoice at the provider,
    `payment_id` the payment that it led to, `provider_state` what the provider calls its state.
    """

    __tablename__ = "deposit"
    __table_args__ = (
        UniqueConstraint("user_id", "request_id"),
        CheckConstraint(
            "state IN ('created', 'pending', 'paid', 'failed', 'expired', 'locked', 'returned')",
            name="state_known",
        ),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="paid_has_time"),
        CheckConstraint("(state = 'paid') = (credited IS NOT NULL)", name="paid_has_amount"),
        Index("ix_deposit_open", "expires_at", postgresql_where=text("state IN ('created', 'pending')")),
        Index("ix_deposit_user_id_created_at", "user_id", "created_at"),
        Index("ix_deposit_payment_id", "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
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
    payment_id: Mapped[str | None] = mapped_column(Text)
    customer: Mapped[str | None] = mapped_column(Text)
    provider_state: Mapped[str | None] = mapped_column(Text)
    network: Mapped[str | None] = mapped_column(Text)
    txid: Mapped[str | None] = mapped_column(Text)
    credited: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    failure: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    expires_at: Mapped[Timestamp]
    paid_at: Mapped[Timestamp | None]


class ProviderCustomer(Model):
    """The name by which a provider knows a customer of ours, so that they need not type it all again."""

    __tablename__ = "provider_customer"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    customer: Mapped[str] = mapped_column(Text)


UNDER_WAY = ("asked", "pending")  # the states of a refund whose end is not known yet


class Refund(Model):
    """Money that goes back to whoever paid it in. It is booked when it is asked for, and undone if it fails.

    `asked`: booked, and the provider's answer is not known. `pending`: accepted there. `succeeded`, `failed`.
    `request_id` comes with the form of staff; without one the refund was made at the provider's own pages.
    It is of a deposit, or of a payment in suspense. `address` is where coins go; whole payments alone go there.
    `borne_by_house`: the deposit had been rolled back, so that the customer has nothing of it to give.
    """

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("deposit_id", "request_id"),
        UniqueConstraint("stray_id", "request_id"),
        CheckConstraint("num_nonnulls(deposit_id, stray_id) = 1", name="of_one_payment"),
        UniqueConstraint("provider", "provider_refund_id"),
        CheckConstraint("state IN ('asked', 'pending', 'succeeded', 'failed')", name="state_known"),
        CheckConstraint("amount > 0", name="amount_positive"),
        Index("ix_refund_open", "created_at", postgresql_where=text("state IN ('asked', 'pending')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    deposit_id: Mapped[UUID | None] = mapped_column(ForeignKey("deposit.id"))
    stray_id: Mapped[int | None] = mapped_column(ForeignKey("stray_payment.id"))
    request_id: Mapped[UUID | None]
    provider: Mapped[str] = mapped_column(Text)
    provider_refund_id: Mapped[str | None] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(MINOR_UNITS)
    address: Mapped[str | None] = mapped_column(Text)
    borne_by_house: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(Text, server_default=text("'asked'"))
    reason: Mapped[str | None] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(Text)
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    sent_at: Mapped[Timestamp | None]
    settled_at: Mapped[Timestamp | None]

    @property
    def is_under_way(self) -> bool:
        """Whether it is not known yet how it ends."""
        return self.state in UNDER_WAY


class Dispute(Model):
    """A payment that its payer's bank takes back, or asks about. `id` is the provider's.

    `inquiry`: the bank only asks. `open`: the money is gone, and the customer's is withheld as far as there is any.
    `won`, `dropped`: what was withheld is given back. `lost`: it is taken, and what was missing is a debt.
    `withheld` is None until it was tried; `taken` and `fee_booked` tell what else has been booked.
    `stray_id`: the money lies in suspense, and stays there until the dispute is closed. `borne_by_house`: the deposit
    was rolled back, so that the customer has nothing of it, and owes nothing.
    """

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("state IN ('inquiry', 'open', 'won', 'lost', 'dropped')", name="state_known"),
        Index("ix_dispute_deposit_id", "deposit_id"),
        Index("ix_dispute_payment_id", "provider", "payment_id"),
        Index("ix_dispute_open", "due_by", postgresql_where=text("state IN ('inquiry', 'open')")),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    deposit_id: Mapped[UUID | None] = mapped_column(ForeignKey("deposit.id"))
    stray_id: Mapped[int | None] = mapped_column(ForeignKey("stray_payment.id"))
    borne_by_house: Mapped[bool] = mapped_column(server_default=text("false"))
    payment_id: Mapped[str] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(MINOR_UNITS)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    withheld: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    resolved: Mapped[bool] = mapped_column(server_default=text("false"))
    taken: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    fee_booked: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    due_by: Mapped[Timestamp | None]
    opened_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    closed_at: Mapped[Timestamp | None]


class StrayPayment(Model):
    """Money that arrived and cannot be credited: it lies in suspense until staff decide.

    `amount` is None for a currency that the books do not keep; `words` tells it even then. `open`, then `credited` to
    `user_id`, `returned` to whoever paid it, or `taken` by their bank. `taken` is how much of it has gone those last
    two ways: in suspense lie the open ones, each with `amount - taken`. `network` is the one that coins came over.
    """

    __tablename__ = "stray_payment"
    __table_args__ = (
        UniqueConstraint("provider", "payment_id"),
        CheckConstraint("state IN ('open', 'credited', 'returned', 'taken')", name="state_known"),
        CheckConstraint("taken >= 0 AND taken <= coalesce(amount, 0)", name="taken_at_most_all"),
        CheckConstraint("(state = 'credited') = (user_id IS NOT NULL)", name="credited_to_somebody"),
        Index("ix_stray_payment_open", "noted_at", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    payment_id: Mapped[str] = mapped_column(Text)
    deposit_id: Mapped[UUID | None] = mapped_column(ForeignKey("deposit.id"))
    asset: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    taken: Mapped[Decimal] = mapped_column(MINOR_UNITS, server_default=text("0"))
    network: Mapped[str | None] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    noted_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    resolved_at: Mapped[Timestamp | None]
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
