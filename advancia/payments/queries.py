"""Deposits, as their owner may see them, and what has to be asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, literal, or_, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Money, asset
from advancia.payments import offers, whereabouts
from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment
from advancia.payments.shown import DepositView, RefundView, Shares
from advancia.payments.standing import LOOKS, Standing
from advancia.wallet.queries import rolled_back_by

# The states of a deposit in words, without what came after it.
STATE_WORDS = {state.value: look.words for state, look in LOOKS.items()}

# After this long the answer of a provider should be known.
PATIENCE = timedelta(minutes=10)
MOST_OPEN = 50
MOST_ENDED = 25
# What somebody should see first: money that is there and cannot be used yet, then what is on its way.
FIRST = {Standing.GOES_BACK: 0, Standing.CHECKED: 0, Standing.UNDERPAID: 0, Standing.UNDER_WAY: 1}


@dataclass(frozen=True)
class PaymentOf:
    """The payment behind a deposit that was paid."""

    provider: str
    payment_id: str


def deposit_of(session: Session, user_id: int, deposit_id: UUID) -> DepositView:
    """The customer's own deposit, with what came after it. Raises `NotFound` for anybody else's."""
    deposit = session.scalar(select(Deposit).where(Deposit.id == deposit_id, Deposit.user_id == user_id))
    if deposit is None:
        raise NotFound
    view = _view(deposit, _set_aside(session, [deposit]).get(deposit_id))
    is_paid = deposit.state == "paid"
    credit = whereabouts.credit_of(session, deposit) if is_paid else view.reference
    return replace(
        view,
        reference=credit,
        rolled_back_by=rolled_back_by(session, credit) if is_paid else None,
        refunds=_refunds_of(session, deposit_id),
        disputes=_disputes_of(session, deposit_id),
        owing=_owing_for(session, user_id, deposit_id),
    )


def open_deposits_of(session: Session, user_id: int) -> list[DepositView]:
    """The customer's deposits that have not ended: first what has arrived and cannot be used, then newest first."""
    deposits = session.scalars(
        select(Deposit)
        .where(Deposit.user_id == user_id, _is_open())
        .order_by(Deposit.created_at.desc())
        .limit(MOST_OPEN)
    ).all()
    strays = _set_aside(session, deposits)
    views = [_view(each, strays.get(each.id)) for each in deposits if strays.get(each.id) != "credited"]
    return sorted(views, key=lambda view: FIRST.get(view.standing, len(FIRST)))


def ended_deposits_of(session: Session, user_id: int) -> list[DepositView]:
    """The newest of the customer's deposits of which nothing came, which the history does not show."""
    deposits = session.scalars(
        select(Deposit)
        .where(Deposit.user_id == user_id, Deposit.state.in_(("failed", "expired", "returned")))
        .order_by(Deposit.created_at.desc())
        .limit(MOST_ENDED)
    )
    return [_view(deposit) for deposit in deposits]


def open_version(session: Session, user_id: int) -> str:
    """Changes whenever `open_deposits_of` would give something else; one indexed read, empty for nothing."""
    return ":".join(deposit.version for deposit in open_deposits_of(session, user_id))


def deposit_behind(session: Session, user_id: int, reference: str) -> UUID | None:
    """The customer's deposit that a line of their history is about: its credit, a refund or a dispute of it."""
    what, _, name = reference.partition(":")
    name = name.partition(":")[0]
    of_user = select(Deposit.id).where(Deposit.user_id == user_id)
    if what == "dispute":
        return session.scalar(
            of_user.join(Dispute, Dispute.deposit_id == Deposit.id).where(Dispute.id == name)
        )
    try:
        named = UUID(name)
    except ValueError:
        return None
    if what == "refund":
        return session.scalar(of_user.join(Refund, Refund.deposit_id == Deposit.id).where(Refund.id == named))
    return session.scalar(of_user.where(Deposit.id == named)) if what == "deposit" else None


def shares_of(session: Session, user_id: int, reference: str) -> Shares | None:
    """From where a transaction took what left a customer; None if nothing of it is owed."""
    taken = ledger.transaction(session, reference)
    owed = ledger.receivable(user_id)
    debts = [each.amount for each in taken.entries if each.account == owed] if taken else []
    if taken is None or not debts or not debts[0].is_negative:
        return None
    own = ledger.available(user_id)
    of_asset = debts[0].asset
    from_wallet = [-each.amount for each in taken.entries if each.account == own]
    return Shares(from_wallet[0] if from_wallet else Money.zero(of_asset), -debts[0])


def payment_of(session: Session, deposit_id: UUID) -> PaymentOf:
    """Raises `NotFound` for a deposit that was not paid."""
    deposit = session.get(Deposit, deposit_id)
    if deposit is None or deposit.payment_id is None:
        raise NotFound
    return PaymentOf(deposit.provider, deposit.payment_id)


def unsettled_payments(session: Session, *, limit: int) -> list[tuple[str, str, str]]:
    """Payments of which a refund or a dispute has not ended for a while: provider, payment, and which of them."""
    long_ago = utcnow() - PATIENCE
    refunds = (
        select(
            Refund.provider,
            func.coalesce(Deposit.payment_id, StrayPayment.payment_id),
            case(
                (Refund.provider.in_(offers.CRYPTO), literal("payment.chased")),
                else_=literal("refund.chased"),
            ),
            Refund.created_at,
        )
        .outerjoin(Deposit, Deposit.id == Refund.deposit_id)
        .outerjoin(StrayPayment, StrayPayment.id == Refund.stray_id)
        .where(Refund.state == "pending", Refund.created_at < long_ago)
    )
    disputes = select(
        Dispute.provider, Dispute.payment_id, literal("charge.dispute.chased"), Dispute.opened_at
    ).where(Dispute.state.in_(("inquiry", "open")), Dispute.opened_at < long_ago)
    rows: Any = session.execute(union_all(refunds, disputes).order_by("created_at").limit(limit))
    return [(provider, payment_id, what) for provider, payment_id, what, _ in rows]


def _is_open() -> ColumnElement[bool]:
    """Whether it waits for its payment, or something arrived that its owner cannot use yet."""
    waits = or_(
        Deposit.expires_at > utcnow(),
        Deposit.checkout_url.is_(None),  # its payment is under way
        Deposit.provider_state == "wrong_amount_waiting",
    )
    return or_(and_(Deposit.state == "pending", waits), Deposit.state == "locked")


def _set_aside(session: Session, deposits: Sequence[Deposit]) -> dict[UUID, str]:
    """How the payments stand that came for the locked ones of these, where they lie in suspense, or did."""
    locked = [deposit.id for deposit in deposits if deposit.state == "locked"]
    if not locked:
        return {}
    strays = session.execute(
        select(StrayPayment.deposit_id, StrayPayment.state).where(StrayPayment.deposit_id.in_(locked))
    )
    return {deposit_id: state for deposit_id, state in strays if deposit_id is not None}


def _refunds_of(session: Session, deposit_id: UUID) -> tuple[RefundView, ...]:
    rows = session.scalars(select(Refund).where(Refund.deposit_id == deposit_id).order_by(Refund.created_at))
    return tuple(
        RefundView(Money(int(row.amount), asset(row.asset)), row.state, row.created_at) for row in rows
    )


def _owing_for(session: Session, user_id: int, deposit_id: UUID) -> tuple[Shares, ...]:
    """What went back of a deposit and was not in the wallet any more, refund by refund and dispute by dispute."""
    refunds = select(Refund.id).where(Refund.deposit_id == deposit_id, Refund.state != "failed")
    lost = select(Dispute.id).where(Dispute.deposit_id == deposit_id, Dispute.state == "lost")
    references = [f"refund:{each}" for each in session.scalars(refunds)]
    references += [f"dispute:{each}:rest" for each in session.scalars(lost)]
    found = [shares_of(session, user_id, each) for each in references]
    return tuple(shares for shares in found if shares is not None)


def _disputes_of(session: Session, deposit_id: UUID) -> tuple[str, ...]:
    return tuple(
        session.scalars(
            select(Dispute.state).where(Dispute.deposit_id == deposit_id).order_by(Dispute.opened_at)
        )
    )


def _view(deposit: Deposit, stray: str | None = None) -> DepositView:
    """`stray` is how the payment stands that was set aside for it."""
    of_asset = asset(deposit.asset)
    return DepositView(
        id=deposit.id,
        amount=Money(int(deposit.amount), of_asset),
        provider=deposit.provider,
        state=deposit.state,
        checkout_url=deposit.checkout_url if deposit.state == "pending" else None,
        failure=deposit.failure,
        created_at=deposit.created_at,
        expires_at=deposit.expires_at,
        paid_at=deposit.paid_at,
        credited=Money(int(deposit.credited), of_asset) if deposit.credited is not None else None,
        provider_state=deposit.provider_state,
        network=deposit.network,
        txid=deposit.txid,
        customer=deposit.customer,
        reference=f"deposit:{deposit.id}",
        goes_back=stray == "returned" or deposit.provider_state == "refund_process",
    )
