"""From an event to what is so now: the provider is asked, and its answer becomes steps for our books.

The asking happens here, with no transaction open; the steps are run by the caller, each in a unit of work of its own,
since one posting is all that a database transaction may hold. Whatever an event speaks of, all that follows from the
payment's present state is brought to date, so that lost, doubled and overtaking events end in the same books.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from advancia.core.db import Session
from advancia.core.money import Money
from advancia.payments import bank, invoices, services
from advancia.payments.disputes import services as disputes
from advancia.payments.errors import WrongCheckout
from advancia.payments.refunds import coins
from advancia.payments.refunds import services as refunds
from advancia.payments.strays import services as strays
from advancia.providers.cryptomus import CryptoGateway, Invoice
from advancia.providers.cryptomus_states import Meaning
from advancia.providers.stripe import CardGateway
from advancia.providers.stripe_objects import CardPayment, CardRefund, Checkout

Step = Callable[[Session], str]

CHECKOUT = "checkout.session."
PAYMENT = "payment_intent."
DISPUTE = "charge.dispute."
REFUND = ("refund.", "charge.refund.")
CHARGE = "charge."
PAYOUT = "payout."
INVOICE = "payment."


@dataclass(frozen=True)
class Astray:
    """A payment that fits no deposit, and the step that sets it aside."""

    provider: str
    payment_id: str
    put_aside: Step


@dataclass(frozen=True)
class News:
    """Steps to be taken one after the other; none: nothing that we act on. `stray`: what is set aside instead."""

    steps: list[Step] = field(default_factory=list)
    stray: Astray | None = None


def of_card(gateway: CardGateway, kind: str, object_id: str) -> News:
    """What an event of the card provider comes to. Raises `ProviderUnavailable` or `ProviderRefused`."""
    if kind.startswith(CHECKOUT):
        return _of_checkout(gateway, kind, gateway.retrieve_checkout(object_id))
    if kind.startswith(PAYOUT):
        payout = gateway.payout(object_id)
        return News([lambda session: bank.settle(session, provider=gateway.name, told=payout)])
    payment = _payment_meant_by(gateway, kind, object_id)
    return of_payment(gateway, kind, payment) if payment else News()


def of_crypto(gateway: CryptoGateway, kind: str, object_id: str) -> News:
    """What an event of the crypto provider comes to. Raises as `of_card`."""
    if not kind.startswith(INVOICE):
        return News()
    invoice = gateway.invoice(object_id)
    stray = _stray_invoice(gateway.name, invoice) if invoice.meaning is Meaning.CREDIT else None
    return News([lambda session: _settled_invoice(session, gateway.name, invoice)], stray)


def _settled_invoice(session: Session, provider: str, invoice: Invoice) -> str:
    try:
        return f"The deposit {invoices.settle(session, invoice=invoice)}"
    except WrongCheckout:
        told = coins.of_no_deposit(session, provider=provider, invoice=invoice)
        if told is None:
            raise
        return f"The payment {told}"


def _payment_meant_by(gateway: CardGateway, kind: str, object_id: str) -> str | None:
    if kind.startswith(PAYMENT):
        return object_id
    if kind.startswith(DISPUTE):
        return gateway.dispute(object_id).payment_intent
    if kind.startswith(REFUND):
        return gateway.refund(object_id).payment_intent
    if kind.startswith(CHARGE):
        return gateway.payment_of_charge(object_id)
    return None


def of_payment(gateway: CardGateway, kind: str, payment_intent: str) -> News:
    """What a payment comes to, whatever led to it. Raises as `of_card`."""
    checkout = gateway.checkout_of_payment(payment_intent)
    if checkout is not None:
        return _of_checkout(gateway, kind, checkout)
    payment = gateway.payment(payment_intent)  # begun elsewhere: no deposit can be meant
    if not payment.has_come:
        return News()
    steps = [_stray_payment(gateway.name, payment, "It belongs to no checkout of ours.").put_aside]
    return News(steps + _what_followed(gateway, kind, payment))


def _of_checkout(gateway: CardGateway, kind: str, checkout: Checkout) -> News:
    if checkout.deposit_id is None and not checkout.is_paid:
        return News()  # no money has come, and no deposit waits for it: such as a test of the way back
    steps: list[Step] = [lambda session: f"The deposit {services.settle(session, checkout=checkout)}"]
    payment = checkout.payment
    if payment is not None and checkout.is_paid:
        steps += _what_followed(gateway, kind, payment)
    return News(steps, _stray_checkout(gateway.name, checkout) if checkout.is_paid else None)


def _what_followed(gateway: CardGateway, kind: str, payment: CardPayment) -> list[Step]:
    """The payment's refunds and disputes, if it or the event speaks of any."""
    steps: list[Step] = []
    if payment.has_refunds or kind.startswith((*REFUND, "charge.refunded")):
        steps += _refund_steps(gateway, payment.id)
    if payment.is_disputed or kind.startswith(DISPUTE):
        steps += _dispute_steps(gateway, payment.id)
    return steps


def _refund_steps(gateway: CardGateway, payment_intent: str) -> list[Step]:
    def step_of(told: CardRefund) -> Step:
        return lambda session: refunds.settle(session, provider=gateway.name, told=told)

    return [step_of(each) for each in reversed(gateway.refunds_of(payment_intent))]


def _dispute_steps(gateway: CardGateway, payment_intent: str) -> list[Step]:
    return [
        step for told in gateway.disputes_of(payment_intent) for step in disputes.steps(gateway.name, told)
    ]


def _stray_payment(provider: str, payment: CardPayment, reason: str) -> Astray:
    return _stray(provider, payment.id, payment.received, payment.received_words, reason, fee=payment.fee)


def _stray_checkout(provider: str, checkout: Checkout) -> Astray:
    return _stray(
        provider,
        checkout.payment_intent or checkout.id,
        checkout.amount,
        str(checkout.amount),
        f"Its checkout {checkout.id} belongs to no deposit.",
        fee=checkout.payment.fee if checkout.payment else None,
    )


def _stray_invoice(provider: str, invoice: Invoice) -> Astray:
    return _stray(
        provider,
        invoice.id,
        invoice.arrived,
        invoice.arrived_words,
        "Its invoice belongs to no deposit.",
        fee=invoice.fee,
    )


def _stray(
    provider: str, payment_id: str, amount: Money | None, words: str, reason: str, *, fee: Money | None
) -> Astray:
    def put_aside(session: Session) -> str:
        new = strays.put_aside(
            session,
            provider=provider,
            payment_id=payment_id,
            amount=amount,
            words=words,
            reason=reason,
            fee=fee,
        )
        return f"{words} {'put into suspense' if new else 'is in suspense already'}: {reason}"

    return Astray(provider, payment_id, put_aside)
