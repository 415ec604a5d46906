"""Deposits, as their owner may see them, and what has to be asked about."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, literal, or_, select, union_all

from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Money, asset
from advancia.payments import offers
from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment
from advancia.providers.cryptomus import NETWORK_WORDS, SHORTEST_LIFE
from advancia.providers.cryptomus_states import words_for
from advancia.wallet.queries import PROVIDER_WORDS

SHOWN_OPEN = 3
# Stripe opens no payment page that would close within half an hour.
CARD_OPENED_BEFORE = timedelta(minutes=31)
FINAL = ("paid", "failed", "expired", "returned")
# After this long the answer of a provider should be known.
PATIENCE = timedelta(minutes=10)
STATE_WORDS = {
    "created": "Not begun",
    "pending": "Waiting for your payment",
    "under way": "On its way",
    "paid": "Paid in",
    "failed": "Not paid",
    "expired": "Expired",
    "locked": "Being checked",
    "returned": "Given back",
}
NEXT_STEP = {
    "created": "We have not opened the payment page yet. Nothing was charged. Try again.",
    "pending": "Finish on the payment page. The money shows within seconds of the payment.",
    "under way": "Your payment is on its way to us. With some banks that takes days; you need not do anything.",
    "paid": "The money is in your wallet. You can use it now.",
    "failed": "Nothing was charged. You can start again with another card.",
    "expired": "The payment page was open for too long. Nothing was charged. Start again when you like.",
    "locked": "Your payment is looked at by hand. We tell you as soon as it is decided.",
    "returned": "The payment was given back to where it came from. Nothing is in your wallet.",
}
CRYPTO_NEXT_STEP = {
    "pending": "Send the amount to the address on the payment page. It counts once the network has confirmed it.",
    "failed": "The payment failed and nothing has arrived. You can start again.",
    "expired": "The payment page has closed. If you have sent money all the same, it is credited when it arrives.",
}
REFUND_WORDS = {
    "asked": "On its way back",
    "pending": "On its way back",
    "succeeded": "Given back",
    "failed": "Could not be given back, so it is in your wallet again",
}
DISPUTE_WORDS = {
    "inquiry": "Your bank asks about this payment. Nothing has changed so far.",
    "open": "Your bank has taken this payment back. We hold the amount until it is decided.",
    "won": "Your bank has decided that the payment stands. What we held is yours again.",
    "dropped": "Your bank has dropped its question. What we held is yours again.",
    "lost": "Your bank has taken this payment back for good.",
}


@dataclass(frozen=True)
class RefundView:
    """A refund in the customer's words."""

    amount: Money
    state: str
    when: datetime

    @property
    def words(self) -> str:
        return REFUND_WORDS[self.state]


@dataclass(frozen=True)
class ProgressStep:
    """A step on the way of a payment: `state` is done, now, later or bad."""

    words: str
    state: str


@dataclass(frozen=True)
class DepositView:
    """A deposit in the customer's words."""

    id: UUID
    amount: Money
    provider: str
    state: str
    checkout_url: str | None
    failure: str | None
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    credited: Money | None = None
    provider_state: str | None = None
    network: str | None = None
    txid: str | None = None
    customer: str | None = None
    refunds: Sequence[RefundView] = field(default=())
    disputes: Sequence[str] = field(default=())  # their states

    @property
    def is_crypto(self) -> bool:
        return self.provider in offers.CRYPTO

    @property
    def state_words(self) -> str:
        return STATE_WORDS["under way" if self.is_under_way else self.state]

    @property
    def next_step(self) -> str:
        if self.state == "paid":
            return self._since_paid()
        return self._crypto_next_step() if self.is_crypto else self._card_next_step()

    @property
    def arrival_words(self) -> str | None:
        """What to say when more or less came than was asked for."""
        if self.credited is None or self.credited == self.amount:
            return None
        than = "more" if self.credited > self.amount else "less"
        return f"You sent {than} than {self.amount}. What arrived is in your wallet: {self.credited}."

    @property
    def provider_words(self) -> str:
        return PROVIDER_WORDS.get(self.provider, self.provider)

    @property
    def network_words(self) -> str | None:
        return NETWORK_WORDS.get(self.network or "", self.network)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_under_way(self) -> bool:
        """Whether the customer has done their part, and the provider waits for their bank or the network."""
        return self.state == "pending" and self.checkout_url is None

    @property
    def open_until(self) -> datetime | None:
        """Until when the payment page can be used, while there is one to use."""
        is_over = self.is_final or self.is_under_way or self.state == "locked"
        return None if is_over else self.expires_at

    @property
    def can_retry(self) -> bool:
        """Whether the payment page stands open, or can still be opened."""
        left = self.open_until - utcnow() if self.open_until else timedelta()
        before = SHORTEST_LIFE if self.is_crypto else CARD_OPENED_BEFORE
        return left > (timedelta() if self.state == "pending" else before)

    @property
    def progress(self) -> list[ProgressStep]:
        """Where it stands, step by step."""
        if self.state in ("failed", "expired", "returned"):
            return [ProgressStep("Started", "done"), ProgressStep(self.state_words, "bad")]
        stages = ["Started", f"Payment confirmed by {self.provider_words}", "In your wallet"]
        reached = 1
        if self.is_crypto:
            stages = ["Started", "Seen on the network", "Confirmed by the network", "In your wallet"]
            reached = 2 if self.is_under_way or self.state == "locked" else 1
        if self.state == "paid":
            reached = len(stages)
        return [
            ProgressStep(words, "done" if place < reached else "now" if place == reached else "later")
            for place, words in enumerate(stages)
        ]

    @property
    def version(self) -> str:
        """Changes whenever the page would show something else."""
        shown = (
            f"{self.state}:{self.failure}:{self.checkout_url}:{self.can_retry}:{self.provider_state}:{self.txid}"
            f":{self.credited}:{self.refunds}:{self.disputes}"
        )
        return hashlib.sha256(shown.encode()).hexdigest()[:16]

    def _since_paid(self) -> str:
        """What has become of a payment that arrived."""
        if self.disputes:
            return DISPUTE_WORDS[self.disputes[-1]]
        given_back = sum(refund.amount.minor for refund in self.refunds if refund.state != "failed")
        if not given_back:
            return NEXT_STEP["paid"]
        if self.credited is not None and given_back >= self.credited.minor:
            return "The payment goes back, or has gone back, to where it came from."
        return "A part of the payment goes back, or has gone back, to where it came from. The rest is in your wallet."

    def _card_next_step(self) -> str:
        if self.failure and self.state == "pending":
            return f"{self.failure} Nothing was charged. You can try another card on the payment page."
        if self.state == "created" and not self.can_retry:
            return NEXT_STEP["expired"]
        if self.state == "locked" and self.failure:
            return self.failure
        if self.is_under_way:
            return NEXT_STEP["under way"]
        return NEXT_STEP[self.state]

    def _crypto_next_step(self) -> str:
        if self.state in ("pending", "locked") and self.provider_state not in (None, "check", "process"):
            return self.failure or words_for(self.provider_state or "")
        if self.state == "created" and not self.can_retry:
            return CRYPTO_NEXT_STEP["expired"]
        return CRYPTO_NEXT_STEP.get(self.state, NEXT_STEP[self.state])


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
    return _view(
        deposit, refunds=_refunds_of(session, deposit_id), disputes=_disputes_of(session, deposit_id)
    )


def open_deposits_of(session: Session, user_id: int) -> list[DepositView]:
    """The customer's deposits that wait for their payment, newest first."""
    waiting = session.scalars(
        select(Deposit)
        .where(
            Deposit.user_id == user_id,
            Deposit.state == "pending",
            or_(Deposit.expires_at > utcnow(), Deposit.checkout_url.is_(None)),  # or its payment is under way
        )
        .order_by(Deposit.created_at.desc())
        .limit(SHOWN_OPEN)
    )
    return [_view(deposit) for deposit in waiting]


def open_version(session: Session, user_id: int) -> str:
    """Changes whenever `open_deposits_of` would give something else; one indexed read, empty for nothing."""
    return ":".join(deposit.version for deposit in open_deposits_of(session, user_id))


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


def _refunds_of(session: Session, deposit_id: UUID) -> tuple[RefundView, ...]:
    rows = session.scalars(select(Refund).where(Refund.deposit_id == deposit_id).order_by(Refund.created_at))
    return tuple(
        RefundView(Money(int(row.amount), asset(row.asset)), row.state, row.created_at) for row in rows
    )


def _disputes_of(session: Session, deposit_id: UUID) -> tuple[str, ...]:
    return tuple(
        session.scalars(
            select(Dispute.state).where(Dispute.deposit_id == deposit_id).order_by(Dispute.opened_at)
        )
    )


def _view(
    deposit: Deposit, *, refunds: Sequence[RefundView] = (), disputes: Sequence[str] = ()
) -> DepositView:
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
        refunds=refunds,
        disputes=disputes,
    )
