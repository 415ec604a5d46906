"""Runs of the reconciliation, what they compared, and what differed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

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
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import MINOR_UNITS, Timestamp


class ReconciliationRun(Model):
    """One look at the books: `running` until it has a verdict, and signed off by a second person after that.

    `window_from` (included) to `window_upto` is what of the providers' books is compared; all of ours is, as it was
    at `snapshot_at`. `progress` is where a run that was broken off goes on, `summary` what each check has looked at.
    `matched`: all was compared and nothing differs. `differs`. `alarm`: something could not be compared, so that
    nothing is proven. `failed`: it came to no end.
    """

    __tablename__ = "reconciliation_run"
    __table_args__ = (
        CheckConstraint("kind IN ('nightly', 'asked')", name="kind_known"),
        CheckConstraint("state IN ('running', 'matched', 'differs', 'alarm', 'failed')", name="state_known"),
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="finished_has_time"),
        CheckConstraint("window_from < window_upto", name="window_forward"),
        CheckConstraint("signed_off_by <> asked_by", name="signed_off_by_another"),
        CheckConstraint("(signed_off_by IS NULL) = (signed_off_at IS NULL)", name="signed_off_has_time"),
        CheckConstraint(
            "signed_off_by IS NULL OR state IN ('matched', 'differs', 'alarm')", name="signed_off_has_verdict"
        ),
        Index("uq_reconciliation_run_running", "state", unique=True, postgresql_where=text("state = 'running'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=text("'running'"))
    # Only that provider's books are compared; without one, those of all.
    provider: Mapped[str | None] = mapped_column(Text)
    window_from: Mapped[Timestamp]
    window_upto: Mapped[Timestamp]
    snapshot_at: Mapped[Timestamp | None]
    progress: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    summary: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    failure: Mapped[str | None] = mapped_column(Text)
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    begun_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    finished_at: Mapped[Timestamp | None]
    signed_off_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    signed_off_at: Mapped[Timestamp | None]
    note: Mapped[str | None] = mapped_column(Text)


class ReconciliationDifference(Model):
    """Something that does not agree, from the run which found it first until somebody has resolved it.

    `key` names it in every run. `passed`: a later run no longer found it. `resolved`: explained, or put right by the
    transaction `posting`; found again with the same amounts, it stays resolved. Amounts are minor units.
    """

    __tablename__ = "reconciliation_difference"
    __table_args__ = (
        CheckConstraint("side IN ('inside', 'outside')", name="side_known"),
        CheckConstraint("state IN ('open', 'assigned', 'resolved', 'passed')", name="state_known"),
        CheckConstraint("state <> 'open' OR assigned_to IS NULL", name="open_is_nobodys"),
        CheckConstraint("state <> 'assigned' OR assigned_to IS NOT NULL", name="assigned_to_somebody"),
        CheckConstraint("(state = 'resolved') = (resolved_by IS NOT NULL)", name="resolved_by_somebody"),
        CheckConstraint("state NOT IN ('resolved', 'passed') OR closed_at IS NOT NULL", name="closed_has_time"),
        CheckConstraint("state <> 'resolved' OR char_length(reason) BETWEEN 1 AND 1000", name="resolved_has_reason"),
        CheckConstraint("posting IS NULL OR state = 'resolved'", name="posted_is_resolved"),
        Index(
            "uq_reconciliation_difference_open", "key", unique=True,
            postgresql_where=text("state IN ('open', 'assigned')"),
        ),
        Index("ix_reconciliation_difference_key", "key"),
        Index("ix_reconciliation_difference_run_id", "run_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[int] = mapped_column(
        ForeignKey("reconciliation_run.id", name="fk_reconciliation_difference_run_id")
    )
    side: Mapped[str] = mapped_column(Text)
    check: Mapped[str] = mapped_column("check_name", Text)
    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    provider: Mapped[str | None] = mapped_column(Text)
    our_ref: Mapped[str | None] = mapped_column(Text)
    their_ref: Mapped[str | None] = mapped_column(Text)
    asset: Mapped[str | None] = mapped_column(Text)
    our_amount: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    their_amount: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    happened_at: Mapped[Timestamp | None]
    state: Mapped[str] = mapped_column(Text, server_default=text("'open'"))
    assigned_to: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str | None] = mapped_column(Text)
    posting: Mapped[str | None] = mapped_column(Text)
    found_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    closed_at: Mapped[Timestamp | None]


class ReconciliationFinding(Model):
    """That a run has seen a difference, be it new or carried on."""

    __tablename__ = "reconciliation_finding"
    __table_args__ = (Index("ix_reconciliation_finding_difference_id", "difference_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("reconciliation_run.id"), primary_key=True)
    difference_id: Mapped[int] = mapped_column(
        ForeignKey("reconciliation_difference.id", name="fk_reconciliation_finding_difference_id"),
        primary_key=True,
    )


class ReconciliationItem(Model):
    """One line of one side's books, while a run compares them; kept for thirty days to be looked at.

    `item_id` is what that side itself calls the line (`txn_…`, an invoice's uuid, a ledger reference), `ref` the name
    that both sides know it by, `what` its sort (payment, refund, dispute, fee, payout). `amount` and `fee` are signed
    minor units: plus is what came to us. `asset` is the code as that side has it.
    """

    __tablename__ = "reconciliation_item"
    __table_args__ = (
        CheckConstraint("side IN ('ours', 'theirs')", name="side_known"),
        UniqueConstraint("run_id", "provider", "side", "item_id"),
        Index("ix_reconciliation_item_run_id_provider_what_ref", "run_id", "provider", "what", "ref"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("reconciliation_run.id", ondelete="CASCADE"))
    side: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    item_id: Mapped[str] = mapped_column(Text)
    ref: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)
    asset: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(MINOR_UNITS)
    fee: Mapped[Decimal | None] = mapped_column(MINOR_UNITS)
    state: Mapped[str | None] = mapped_column(Text)
    # Ours: the reference of the transaction that booked it.
    reference: Mapped[str | None] = mapped_column(Text)
    happened_at: Mapped[Timestamp]
