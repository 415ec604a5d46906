"""Deposits and disputes as staff read them, newest first, and how much waits for a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from advancia import ledger
from advancia.admin.approvals import queries as approvals
from advancia.admin.approvals.services import Kind
from advancia.admin.payments.standing import PROVIDER_STATES, WORDS, standing, stands
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Money, asset
from advancia.core.versions import version_of
from advancia.identity.models import User
from advancia.payments import offers, whereabouts
from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment
from advancia.payments.refunds import services as refunds
from advancia.providers.cryptomus import NETWORKS
from advancia.reconciliation import onward

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class DepositRow:
    """A deposit as the list shows it."""

    id: UUID
    user_id: int
    name: str
    amount: Money
    credited: Money | None
    provider: str
    state: str
    standing: str
    provider_state: str | None
    created_at: datetime

    @property
    def standing_words(self) -> str:
        return WORDS[self.standing]

    @property
    def provider_state_words(self) -> str | None:
        """What the provider does about it, where that says more than the standing."""
        return PROVIDER_STATES.get(self.provider_state or "")

    @property
    def cursor(self) -> int:
        return round(self.created_at.timestamp() * MICROSECONDS)


@dataclass(frozen=True)
class DepositDetail:
    """A deposit with what came after it."""

    row: DepositRow
    checkout_id: str | None
    payment_id: str | None
    network: str | None
    txid: str | None
    failure: str | None
    paid_at: datetime | None
    txn_id: int | None
    refunds: Sequence[Refund]
    disputes: Sequence[Dispute]
    refundable: Money
    is_rolled_back: bool
    waiting: UUID | None  # the request to refund it that waits for a second person
    there: Money  # what its customer has now, of its asset

    @property
    def is_crypto(self) -> bool:
        return self.row.provider in offers.CRYPTO

    @property
    def is_refundable(self) -> bool:
        return self.row.state == "paid" and bool(self.refundable) and not self.is_rolled_back

    @property
    def can_be_refunded(self) -> bool:
        return self.is_refundable and self.waiting is None

    @property
    def open_dispute(self) -> Dispute | None:
        """The dispute that keeps what is left of it from being refunded."""
        return next((each for each in self.disputes if each.state == "open"), None)

    @property
    def lost_dispute(self) -> Dispute | None:
        return next((each for each in self.disputes if each.state == "lost"), None)

    @property
    def is_under_way(self) -> bool:
        """Whether a refund of it is on its way, so that the page soon says something else."""
        return any(each.is_under_way for each in self.refunds)

    @property
    def version(self) -> str:
        """Changes whenever the page would show something else."""
        refunds = [(each.id, each.state, each.failure) for each in self.refunds]
        disputes = [(each.id, each.state) for each in self.disputes]
        return version_of(
            self.row, refunds, disputes, self.refundable, self.is_rolled_back, self.waiting, self.txid
        )

    @property
    def network_of_refund(self) -> str:
        """The network that coins go back over: the one they came over."""
        return self.network or NETWORKS.get(self.row.amount.asset.code, "")


def deposits(
    session: Session,
    *,
    state: str | None,
    provider: str | None,
    user_id: int | None,
    before: int | None,
    limit: int,
) -> list[DepositRow]:
    """A page of them, behind the cursor `before`."""
    chosen = _deposits()
    if state:
        chosen = chosen.where(stands(state))
    if provider:
        chosen = chosen.where(Deposit.provider == provider)
    if user_id is not None:
        chosen = chosen.where(Deposit.user_id == user_id)
    if before is not None:
        chosen = chosen.where(Deposit.created_at < func.to_timestamp(Decimal(before) / MICROSECONDS))
    rows = session.execute(chosen.order_by(Deposit.created_at.desc()).limit(limit))
    return [_row(*row) for row in rows]


def deposit(session: Session, deposit_id: UUID) -> DepositDetail:
    """Raises `NotFound`."""
    row = session.execute(_deposits().where(Deposit.id == deposit_id)).first()
    if row is None:
        raise NotFound("There is no such deposit.")
    found, name, stands_now = row
    credit = whereabouts.credit_of(session, found)
    transaction = ledger.transaction(session, credit)
    of_deposit = select(Refund).where(refunds_of(deposit_id)).order_by(Refund.created_at)
    disputed = select(Dispute).where(Dispute.deposit_id == deposit_id).order_by(Dispute.opened_at)
    return DepositDetail(
        row=_row(found, name, stands_now),
        checkout_id=found.checkout_id,
        payment_id=found.payment_id,
        network=found.network,
        txid=found.txid,
        failure=found.failure,
        paid_at=found.paid_at,
        txn_id=transaction.id if transaction else None,
        refunds=session.scalars(of_deposit).all(),
        disputes=session.scalars(disputed).all(),
        refundable=refunds.refundable(session, found),
        is_rolled_back=whereabouts.is_rolled_back(session, credit),
        waiting=approvals.open_about(session, kind=Kind.REFUND, subject=str(deposit_id)),
        there=ledger.balance(session, ledger.available(found.user_id), asset(found.asset)),
    )


def refunds_of(deposit_id: UUID) -> ColumnElement[bool]:
    """Those of a deposit, and of the payment that came for it and was put into suspense."""
    set_aside = select(StrayPayment.id).where(StrayPayment.deposit_id == deposit_id)
    return or_(Refund.deposit_id == deposit_id, Refund.stray_id.in_(set_aside))


@dataclass(frozen=True)
class DisputeRow:
    """A dispute as the list shows it."""

    id: str
    deposit_id: UUID | None
    stray_id: int | None
    borne_by_house: bool
    money: Money
    withheld_money: Money | None
    state: str
    reason: str
    due_by: datetime | None
    closed_at: datetime | None


def disputes(session: Session, *, state: str | None, limit: int) -> list[DisputeRow]:
    """Those that are open first, the nearest deadline before the others; then the closed ones, newest first."""
    chosen = select(Dispute)
    if state:
        chosen = chosen.where(Dispute.state == state)
    is_closed = Dispute.closed_at.is_not(None)
    in_order = (is_closed, Dispute.closed_at.desc(), Dispute.due_by.asc().nulls_last(), Dispute.opened_at)
    return [_dispute_row(each) for each in session.scalars(chosen.order_by(*in_order).limit(limit))]


def waiting(session: Session) -> tuple[int, int]:
    """How many payments, and sums of corrections, lie in suspense, and how many disputes are open."""
    lying = session.scalar(select(func.count()).where(StrayPayment.state == "open")) or 0
    disputed = session.scalar(select(func.count()).where(Dispute.state.in_(("open", "inquiry")))) or 0
    return lying + len(onward.waiting(session)), disputed


def _deposits() -> Select[Deposit, str, str]:
    return select(Deposit, User.name, standing()).join(User, User.id == Deposit.user_id)


def _row(found: Deposit, name: str, stands_now: str) -> DepositRow:
    of_asset = asset(found.asset)
    return DepositRow(
        id=found.id,
        user_id=found.user_id,
        name=name,
        amount=Money(int(found.amount), of_asset),
        credited=None if found.credited is None else Money(int(found.credited), of_asset),
        provider=found.provider,
        state=found.state,
        standing=stands_now,
        provider_state=found.provider_state,
        created_at=found.created_at,
    )


def _dispute_row(found: Dispute) -> DisputeRow:
    of_asset = asset(found.asset)
    return DisputeRow(
        id=found.id,
        deposit_id=found.deposit_id,
        stray_id=found.stray_id,
        borne_by_house=found.borne_by_house,
        money=Money(int(found.amount), of_asset),
        withheld_money=Money(int(found.withheld), of_asset) if found.withheld else None,
        state=found.state,
        reason=found.reason,
        due_by=found.due_by,
        closed_at=found.closed_at,
    )
