"""Booking what arrived: to the customer, or into suspense when it cannot be theirs yet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from advancia import ledger
from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.identity.services import suspension
from advancia.payments import letters
from advancia.payments.bank import fee_posting
from advancia.payments.letters import Letter
from advancia.payments.models import Deposit
from advancia.payments.strays import services as strays

SUSPENDED = "The account is suspended."
WAITS_FOR_STAFF = (
    "Your payment has arrived, and we look at it by hand before it can be used. We tell you soon."
)


@dataclass(frozen=True)
class Arrival:
    """Money that has come to the provider for a deposit. `fee`, what the provider kept, is None while not known."""

    amount: Money
    fee: Money | None
    payment_id: str


def credit(session: Session, deposit: Deposit, arrival: Arrival) -> str:
    """Credit what arrived to the deposit's customer, once; the provider's fee is the house's. Say what that did.

    The deposit is locked by the caller. Money of another asset, or for a suspended account, goes to suspense.
    """
    if deposit.state in ("locked", "returned") and strays.holds(session, deposit.id):
        return "waits for staff already" if deposit.state == "locked" else "has been given back"
    deposit.payment_id = arrival.payment_id
    if arrival.amount.asset.code != deposit.asset:
        return set_aside(
            session, deposit, arrival, f"It came in {arrival.amount.asset}, not in {deposit.asset}."
        )
    if not suspension.hold_open(session, [deposit.user_id]):
        return set_aside(session, deposit, arrival, SUSPENDED)
    deposit.state = "paid"
    deposit.paid_at = utcnow()
    deposit.failure = None
    deposit.checkout_url = None
    deposit.credited = Decimal(arrival.amount.minor)
    session.flush()
    _post(session, deposit, arrival)
    outbox.put(session, Job.SEND_EMAIL, **letter_about(deposit.id, deposit.user_id, arrival.amount))
    return "credited"


def set_aside(session: Session, deposit: Deposit, arrival: Arrival, reason: str) -> str:
    """Put what arrived into suspense, where staff decide about it, and tell the customer so."""
    deposit.state = "locked"
    deposit.failure = WAITS_FOR_STAFF
    deposit.checkout_url = None
    session.flush()
    letters.send(session, deposit, Letter.CHECKED, arrival.amount)
    strays.put_aside(
        session,
        provider=deposit.provider,
        payment_id=arrival.payment_id,
        amount=arrival.amount,
        fee=arrival.fee,
        words=str(arrival.amount),
        reason=reason,
        deposit_id=deposit.id,
    )
    return f"waits for staff: {reason}"


def letter_about(deposit_id: UUID, user_id: int, amount: Money) -> dict[str, Any]:
    """What the job is told that writes to the customer about their credit."""
    facts = {"deposit_id": str(deposit_id), "amount": str(amount)}
    return {"template": "deposit_paid", "user_id": user_id, "facts": facts}


def postings_of(provider: str, user_id: int, arrival: Arrival) -> list[ledger.Posting]:
    """All that has come is the customer's, and the fee, if it is known, the house's."""
    came = ledger.Posting(ledger.clearing(provider), ledger.available(user_id), arrival.amount)
    return [came, *([fee_posting(provider, arrival.fee)] if arrival.fee else [])]


def book_fee(session: Session, *, reference: str, provider: str, fee: Money) -> None:
    """Book a fee that became known later than what it was for. Repeatable."""
    ledger.post(
        session,
        reference=reference,
        kind="fee",
        postings=[fee_posting(provider, fee)],
        meta={"provider": provider},
    )


def _post(session: Session, deposit: Deposit, arrival: Arrival) -> None:
    ledger.post(
        session,
        reference=f"deposit:{deposit.id}",
        kind="deposit",
        postings=postings_of(deposit.provider, deposit.user_id, arrival),
        meta={"provider": deposit.provider},
    )
    if arrival.fee is None:
        outbox.put_once(
            session,
            Job.BOOK_FEE,
            unique_key=f"{Job.BOOK_FEE.value}@{deposit.id}",
            deposit_id=str(deposit.id),
        )
