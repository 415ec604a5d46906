"""What Stripe says about payments, as values of ours, read from objects of any API version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from advancia.core.money import ASSETS, Money, asset
from advancia.providers.stripe_events import deposit_id_in

Told = Mapping[str, Any]


@dataclass(frozen=True)
class CardPayment:
    """A payment as it stands at the provider now.

    `received` is None when nothing came, or in a currency that we do not keep: `received_words` tells it even then.
    `fee` is what the provider kept; None until it says so. `has_refunds` and `is_disputed` tell whether to ask further.
    """

    id: str
    status: str
    received: Money | None
    received_words: str
    deposit_id: UUID | None
    fee: Money | None = None
    has_refunds: bool = False
    is_disputed: bool = False
    customer: str | None = None

    @property
    def has_come(self) -> bool:
        return self.status == "succeeded" and bool(self.received_words)


@dataclass(frozen=True)
class PaymentPage:
    """A page of a list of payments. `last` is the id of the last one, behind which the list goes on if `has_more`."""

    payments: list[CardPayment]
    has_more: bool
    last: str | None


@dataclass(frozen=True)
class Checkout:
    """A checkout as it stands at the provider now.

    `failed`: nothing is paid and the last attempt was declined, in the words of `failure_words`. While
    `status` is 'open' the customer may still try again on the same page, so a failure is final only when it
    is not open. `url` is None once the page is closed.
    """

    id: str
    url: str | None
    status: str  # 'open', 'complete', 'expired'
    payment_status: str  # 'paid', 'unpaid', 'no_payment_required'
    amount: Money
    deposit_id: UUID | None
    payment_intent: str | None
    failure_words: str | None = None
    payment: CardPayment | None = None
    customer: str | None = None

    @property
    def is_paid(self) -> bool:
        return self.status == "complete" and self.payment_status == "paid"

    @property
    def failed(self) -> bool:
        return not self.is_paid and self.failure_words is not None

    @property
    def is_open(self) -> bool:
        return self.status == "open"


@dataclass(frozen=True)
class CardRefund:
    """A refund as it stands now. `refund_id` is ours, None for one that was made at the provider's own pages."""

    id: str
    amount: Money | None
    status: str
    payment_intent: str | None
    refund_id: UUID | None
    failure_words: str | None

    @property
    def is_done(self) -> bool:
        return self.status == "succeeded"

    @property
    def failed(self) -> bool:
        return self.status in ("failed", "canceled")


@dataclass(frozen=True)
class CardDispute:
    """A dispute as it stands now. `fee` is what the provider has charged for it so far, given back or not."""

    id: str
    amount: Money | None
    status: str
    reason: str
    payment_intent: str | None
    due_by: datetime | None
    fee: Money | None

    @property
    def is_won(self) -> bool:
        return self.status == "won"

    @property
    def is_lost(self) -> bool:
        return self.status == "lost"

    @property
    def is_inquiry(self) -> bool:
        """The bank only asks: no money has been taken."""
        return self.status in ("warning_needs_response", "warning_under_review")

    @property
    def is_closed(self) -> bool:
        return self.status in ("won", "lost", "warning_closed", "prevented")


@dataclass(frozen=True)
class CardPayout:
    """What goes from our balance at the provider to our bank."""

    id: str
    amount: Money | None
    status: str
    failure_words: str | None

    @property
    def is_paid(self) -> bool:
        return self.status == "paid"

    @property
    def failed(self) -> bool:
        return self.status in ("failed", "canceled")


def checkout_from(told: Told) -> Checkout:
    """Raises `LookupError`, `TypeError`, `ValueError` or `AttributeError` for what is not one; so do the others."""
    intent = told.get("payment_intent")
    return Checkout(
        id=told["id"],
        url=told.get("url"),
        status=told["status"],
        payment_status=told["payment_status"],
        amount=Money(told["amount_total"], asset(told["currency"].upper())),
        deposit_id=deposit_id_in(told.get("metadata")),
        payment_intent=_id_in(intent),
        failure_words=_failure_words(told),
        payment=payment_from(intent) if isinstance(intent, Mapping) else None,
        customer=_id_in(told.get("customer")),
    )


def payment_from(told: Told) -> CardPayment:
    charge = told.get("latest_charge")
    charge = charge if isinstance(charge, Mapping) else {}
    received = told.get("amount_received") or 0
    return CardPayment(
        id=told["id"],
        status=told["status"],
        received=_money(received, told["currency"]) if received else None,
        received_words=_words(received, told["currency"]) if received else "",
        deposit_id=deposit_id_in(told.get("metadata")),
        fee=_fee(charge.get("balance_transaction")),
        has_refunds=bool(charge.get("amount_refunded") or charge.get("refunded")),
        is_disputed=bool(charge.get("disputed") or charge.get("dispute")),
        customer=_id_in(told.get("customer")),
    )


def payments_from(told: Told) -> PaymentPage:
    """What of the page cannot be read is left out."""
    listed = told["data"]
    last = listed[-1]["id"] if listed else None
    return PaymentPage([each for each in map(_readable, listed) if each], bool(told["has_more"]), last)


def refund_from(told: Told) -> CardRefund:
    return CardRefund(
        id=told["id"],
        amount=_money(told["amount"], told["currency"]),
        status=told["status"] or "succeeded",  # older versions leave it out for cards
        payment_intent=_id_in(told.get("payment_intent")),
        refund_id=_uuid((told.get("metadata") or {}).get("refund_id")),
        failure_words=told.get("failure_reason"),
    )


def dispute_from(told: Told) -> CardDispute:
    due_by = (told.get("evidence_details") or {}).get("due_by")
    moved = [each for each in told.get("balance_transactions") or () if isinstance(each, Mapping)]
    fees = sum(each.get("fee") or 0 for each in moved)
    return CardDispute(
        id=told["id"],
        amount=_money(told["amount"], told["currency"]),
        status=told["status"],
        reason=str(told.get("reason") or "general"),
        payment_intent=_id_in(told.get("payment_intent")),
        due_by=datetime.fromtimestamp(due_by, UTC) if due_by else None,
        fee=_money(fees, moved[0]["currency"]) if fees else None,
    )


def payout_from(told: Told) -> CardPayout:
    return CardPayout(
        id=told["id"],
        amount=_money(told["amount"], told["currency"]),
        status=told["status"],
        failure_words=told.get("failure_message"),
    )


def _readable(told: Told) -> CardPayment | None:
    try:
        return payment_from(told)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _money(minor: int, currency: str) -> Money | None:
    """Stripe counts in the currency's smallest unit, as we do; None for a currency that we do not keep."""
    of_asset = ASSETS.get(currency.upper())
    return Money(minor, of_asset) if of_asset else None


def _words(minor: int, currency: str) -> str:
    money = _money(minor, currency)
    return str(money) if money else f"{minor} of the smallest unit of {currency.upper()}"


def _fee(balance_transaction: object) -> Money | None:
    if not isinstance(balance_transaction, Mapping) or not balance_transaction.get("fee"):
        return None
    return _money(balance_transaction["fee"], balance_transaction["currency"])


def _id_in(expanded: object) -> str | None:
    named = expanded.get("id") if isinstance(expanded, Mapping) else expanded
    return named if isinstance(named, str) else None


def _uuid(named: object) -> UUID | None:
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None


def _failure_words(session: Told) -> str | None:
    """Why the last attempt failed. A decline leaves the session open and shows on its payment alone."""
    intent = session.get("payment_intent")
    if not isinstance(intent, Mapping) or intent.get("status") not in ("requires_payment_method", "canceled"):
        return None
    if (error := intent.get("last_payment_error")) is not None:
        return error.get("message") or "The payment was declined."
    # Before the first attempt a payment stands like this as well; once the session is complete it has failed.
    return "The payment was declined." if session["status"] == "complete" else None
