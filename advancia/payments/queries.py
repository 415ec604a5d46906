"""Deposits as their owner may see them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select

from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Money, asset
from advancia.payments.models import Deposit
from advancia.wallet.queries import PROVIDER_WORDS

SHOWN_OPEN = 3
# Stripe opens no payment page that would close within half an hour.
OPENED_BEFORE = timedelta(minutes=31)
FINAL = ("paid", "failed", "expired")
STATE_WORDS = {
    "created": "Not begun",
    "pending": "Waiting for your payment",
    "under way": "On its way",
    "paid": "Paid in",
    "failed": "Not paid",
    "expired": "Expired",
}
NEXT_STEP = {
    "created": "We have not opened the payment page yet. Nothing was charged. Try again.",
    "pending": "Finish on the payment page. The money shows within seconds of the payment.",
    "under way": "Your payment is on its way to us. With some banks that takes days; you need not do anything.",
    "paid": "The money is in your wallet. You can use it now.",
    "failed": "Nothing was charged. You can start again with another card.",
    "expired": "The payment page was open for too long. Nothing was charged. Start again when you like.",
}


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

    @property
    def state_words(self) -> str:
        return STATE_WORDS["under way" if self.is_under_way else self.state]

    @property
    def next_step(self) -> str:
        if self.failure and self.state == "pending":
            return f"{self.failure} Nothing was charged. You can try another card on the payment page."
        if self.state == "created" and not self.can_retry:
            return NEXT_STEP["expired"]
        if self.is_under_way:
            return NEXT_STEP["under way"]
        return NEXT_STEP[self.state]

    @property
    def provider_words(self) -> str:
        return PROVIDER_WORDS.get(self.provider, self.provider)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_under_way(self) -> bool:
        """Whether the customer has done their part, and the provider waits for their bank."""
        return self.state == "pending" and self.checkout_url is None

    @property
    def open_until(self) -> datetime | None:
        """Until when the payment page can be used, while there is one to use."""
        return None if self.is_final or self.is_under_way else self.expires_at

    @property
    def can_retry(self) -> bool:
        """Whether the payment page stands open, or can still be opened."""
        left = self.open_until - utcnow() if self.open_until else timedelta()
        return left > (timedelta() if self.state == "pending" else OPENED_BEFORE)

    @property
    def version(self) -> str:
        """Changes whenever the page would show something else."""
        shown = f"{self.state}:{self.failure}:{self.checkout_url}:{self.can_retry}"
        return hashlib.sha256(shown.encode()).hexdigest()[:16]


def deposit_of(session: Session, user_id: int, deposit_id: UUID) -> DepositView:
    """The customer's own deposit. Raises `NotFound` for anybody else's."""
    deposit = session.scalar(select(Deposit).where(Deposit.id == deposit_id, Deposit.user_id == user_id))
    if deposit is None:
        raise NotFound
    return _view(deposit)


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


def _view(deposit: Deposit) -> DepositView:
    return DepositView(
        id=deposit.id,
        amount=Money(int(deposit.amount), asset(deposit.asset)),
        provider=deposit.provider,
        state=deposit.state,
        checkout_url=deposit.checkout_url if deposit.state == "pending" else None,
        failure=deposit.failure,
        created_at=deposit.created_at,
        expires_at=deposit.expires_at,
        paid_at=deposit.paid_at,
    )
