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

from advancia import ledger
from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.payments.errors import AlreadyAsked, AmountOutOfRange, WrongCheckout
from advancia.payments.models import Deposit
from advancia.providers.stripe import Checkout

SMALLEST = Money.of("1.00", "USD")
LARGEST = Money.of("10000.00", "USD")
# How long a checkout stays open; Stripe takes half an hour to a day, so it must be opened well before.
OPEN_FOR = timedelta(hours=2)
# A deposit is closed a little after its checkout, so that a payment in the last second is still under way.
GRACE = timedelta(minutes=10)


@dataclass(frozen=True)
class Overdue:
    """An open deposit whose time is over; without a checkout its customer was never led anywhere to pay."""

    deposit_id: UUID
    checkout_id: str | None


def request_deposit(
    session: Session, *, actor: Actor, amount: Money, provider: str, request_id: UUID
) -> UUID:
    """Note that the customer wants to pay in, and return the deposit's id; equal submits are one deposit.

    Raises `AmountOutOfRange`, and `AlreadyAsked` for a submit that is not equal. Nothing is asked of the provider here.
    """
    if not SMALLEST <= amount <= LARGEST:
        raise AmountOutOfRange(f"Enter an amount from {SMALLEST.figure()} to {LARGEST}.")
    deposit_id: UUID | None = session.scalar(
        insert(Deposit)
        .values(
            user_id=actor.user_id,
            request_id=request_id,
            asset=amount.asset.code,
            amount=amount.minor,
            provider=provider,
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


def record_checkout(session: Session, *, deposit_id: UUID, checkout: Checkout) -> None:
    """Write down where the customer pays. No harm if it was written before, or if the payment was quicker."""
    session.execute(
        update(Deposit)
        .where(Deposit.id == deposit_id, Deposit.checkout_id.is_(None))
        .values(checkout_id=checkout.id, checkout_url=checkout.url)
    )
    session.execute(
        update(Deposit).where(Deposit.id == deposit_id, Deposit.state == "created").values(state="pending")
    )


def settle(session: Session, *, checkout: Checkout) -> str:
    """Bring the deposit to what its checkout says now; return in a few words what that changed.

    Repeatable, and the same in whatever order it is called: `paid` is final and wins over all others, and
    the credit's reference is the deposit's id. Raises `WrongCheckout`.
    """
    if checkout.deposit_id is None:
        raise WrongCheckout(f"Checkout {checkout.id} names no deposit.")
    deposit = session.get(Deposit, checkout.deposit_id, with_for_update=True)
    if deposit is None or deposit.checkout_id not in (None, checkout.id):
        raise WrongCheckout(f"Checkout {checkout.id} does not belong to deposit {checkout.deposit_id}.")
    if deposit.state == "paid":
        return "was credited before"
    if checkout.is_paid:
        return _credit(session, deposit, checkout)
    if checkout.status == "expired":
        return _close(deposit, "expired", None)
    if checkout.failed:
        return _close(deposit, "pending" if checkout.is_open else "failed", checkout.failure_words)
    if not checkout.is_open:
        deposit.checkout_url = None
        return "waits for a payment that is under way"
    return "is still open"


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
        select(Deposit.id, Deposit.checkout_id)
        .where(Deposit.state.in_(("created", "pending")), _is_overdue())
        .order_by(func.random())
        .limit(limit)
    )
    return [Overdue(*row) for row in rows]


def _is_overdue() -> ColumnElement[bool]:
    return Deposit.expires_at < func.now() - GRACE


def _credit(session: Session, deposit: Deposit, checkout: Checkout) -> str:
    deposit.state = "paid"
    deposit.paid_at = utcnow()
    deposit.failure = None
    deposit.checkout_id = checkout.id
    session.flush()
    ledger.post(
        session,
        reference=f"deposit:{deposit.id}",
        kind="deposit",
        postings=[
            ledger.Posting(
                ledger.clearing(deposit.provider), ledger.available(deposit.user_id), checkout.amount
            )
        ],
        meta={"provider": deposit.provider},
    )
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template="deposit_paid",
        user_id=deposit.user_id,
        facts={"deposit_id": str(deposit.id), "amount": str(checkout.amount)},
    )
    return "credited"


def _close(deposit: Deposit, state: str, failure: str | None) -> str:
    if (deposit.state, deposit.failure) == (state, failure):
        return "is so already"
    deposit.state = state
    deposit.failure = failure
    return state
