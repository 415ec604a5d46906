"""Deposits: from the wish to pay in to the credit, which happens exactly once.

A provider is asked in three steps, never two: the wish is committed, then the provider is called with no
transaction open, then the answer is recorded. What is credited is what the provider says when it is asked again,
never what an event claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.elements import ColumnElement

from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session, table_of
from advancia.core.money import Money
from advancia.payments import letters, offers
from advancia.payments.crediting import Arrival, credit
from advancia.payments.errors import AlreadyAsked, AmountOutOfRange, WrongCheckout
from advancia.payments.letters import Letter
from advancia.payments.models import Deposit, ProviderCustomer
from advancia.providers.stripe_objects import Checkout

# How long a checkout stays open; Stripe takes half an hour to a day, so it must be opened well before.
OPEN_FOR = timedelta(hours=2)
# A deposit is closed a little after its checkout, so that a payment in the last second is still under way.
GRACE = timedelta(minutes=10)

_CUSTOMERS = insert(table_of(ProviderCustomer))
_KNOW_CUSTOMER = _CUSTOMERS.on_conflict_do_update(
    index_elements=["user_id", "provider"], set_={"customer": _CUSTOMERS.excluded.customer}
)


@dataclass(frozen=True)
class Overdue:
    """An open deposit whose time is over; without a checkout its customer was never led anywhere to pay."""

    deposit_id: UUID
    checkout_id: str | None
    provider: str


def request_deposit(
    session: Session, *, actor: Actor, amount: Money, provider: str, request_id: UUID
) -> UUID:
    """Note that the customer wants to pay in, and return the deposit's id; equal submits are one deposit.

    Raises `AmountOutOfRange`, `NotOffered`, and `AlreadyAsked` for a submit that is not equal. Nothing is asked of
    the provider here.
    """
    terms = offers.terms(provider, amount.asset.code)
    if not terms.smallest <= amount <= terms.largest:
        raise AmountOutOfRange(f"Enter an amount from {terms.smallest.figure()} to {terms.largest}.")
    deposit_id: UUID | None = session.scalar(
        insert(Deposit)
        .values(
            user_id=actor.user_id,
            request_id=request_id,
            asset=amount.asset.code,
            amount=amount.minor,
            provider=provider,
            customer=_known_as(session, actor.user_id, provider),
            expires_at=utcnow() + OPEN_FOR,
        )
        .on_conflict_do_nothing(index_elements=[Deposit.user_id, Deposit.request_id])
        .returning(Deposit.id)
    )
    if deposit_id is not None:
        return deposit_id
    asked = session.scalars(
        select(Deposit).where(Deposit.user_id == actor.user_id, Deposit.request_id == request_id)
    ).one()
    if (asked.asset, asked.amount, asked.provider) != (amount.asset.code, Decimal(amount.minor), provider):
        raise AlreadyAsked
    return asked.id


def record_checkout(session: Session, *, deposit_id: UUID, checkout_id: str, url: str | None) -> None:
    """Write down where the customer pays. No harm if it was written before, or if the payment was quicker."""
    session.execute(
        update(Deposit)
        .where(Deposit.id == deposit_id, Deposit.checkout_id.is_(None))
        .values(checkout_id=checkout_id, checkout_url=url)
    )
    session.execute(
        update(Deposit).where(Deposit.id == deposit_id, Deposit.state == "created").values(state="pending")
    )


def settle(session: Session, *, checkout: Checkout) -> str:
    """Bring the deposit to what its checkout says now; return in a few words what that changed.

    Repeatable, and the same in whatever order it is called: `paid` is final and wins over all others, and
    the credit's reference is the deposit's id. Raises `WrongCheckout`.
    """
    deposit = locked(session, checkout.deposit_id, checkout.id)
    if deposit.state == "paid":
        return "was credited before"
    if checkout.is_paid:
        return _credit(session, deposit, checkout)
    if deposit.state == "locked":
        return "is looked at by staff"
    return _not_paid(session, deposit, checkout)


def locked(session: Session, deposit_id: UUID | None, checkout_id: str) -> Deposit:
    """The deposit that a checkout or invoice names, locked until the caller commits. Raises `WrongCheckout`."""
    if deposit_id is None:
        raise WrongCheckout(f"Checkout {checkout_id} names no deposit.")
    deposit = session.get(Deposit, deposit_id, with_for_update=True, populate_existing=True)
    if deposit is None or deposit.checkout_id not in (None, checkout_id):
        raise WrongCheckout(f"Checkout {checkout_id} does not belong to deposit {deposit_id}.")
    return deposit


def close(deposit: Deposit, state: str, failure: str | None) -> str:
    """Write down that nothing was paid, so far or for good."""
    if (deposit.state, deposit.failure) == (state, failure):
        return "is so already"
    deposit.state = state
    deposit.failure = failure
    return state


def expire(session: Session, deposit_id: UUID) -> None:
    """Close a deposit whose time is over and of which its provider says that nothing was paid."""
    session.execute(
        update(Deposit)
        .where(Deposit.id == deposit_id, Deposit.state.in_(("created", "pending")), _is_overdue())
        .values(state="expired")
    )


def overdue(session: Session, *, limit: int) -> list[Overdue]:
    """Some of the open deposits whose time is over; chance chooses, so that none keeps others from their turn."""
    rows = session.execute(
        select(Deposit.id, Deposit.checkout_id, Deposit.provider)
        .where(Deposit.state.in_(("created", "pending")), _is_overdue())
        .order_by(func.random())
        .limit(limit)
    )
    return [Overdue(*row) for row in rows]


def _is_overdue() -> ColumnElement[bool]:
    return Deposit.expires_at < func.now() - GRACE


def _known_as(session: Session, user_id: int, provider: str) -> str | None:
    """Fixed with the deposit, so that asking for its checkout again asks for the same."""
    return session.scalar(
        select(ProviderCustomer.customer).where(
            ProviderCustomer.user_id == user_id, ProviderCustomer.provider == provider
        )
    )


def _not_paid(session: Session, deposit: Deposit, checkout: Checkout) -> str:
    if checkout.status == "expired":
        return close(deposit, "expired", None)
    if checkout.failed:
        told = close(deposit, "pending" if checkout.is_open else "failed", checkout.failure_words)
        if told == "failed":  # days later, it may be: nobody looks at the page any more
            session.flush()
            letters.send(session, deposit, Letter.FAILED, checkout.amount)
        return told
    if not checkout.is_open:
        deposit.checkout_url = None
        return "waits for a payment that is under way"
    return "is still open"


def _credit(session: Session, deposit: Deposit, checkout: Checkout) -> str:
    if checkout.customer:
        known = {"user_id": deposit.user_id, "provider": deposit.provider, "customer": checkout.customer}
        session.connection().execute(_KNOW_CUSTOMER, known)
    deposit.checkout_id = checkout.id
    arrival = Arrival(
        amount=checkout.amount,
        fee=checkout.payment.fee if checkout.payment else None,
        payment_id=checkout.payment_intent or checkout.id,
    )
    return credit(session, deposit, arrival)
