"""What providers do with our balance there: they keep fees, and send the rest on to our bank account."""

from __future__ import annotations

from advancia import ledger
from advancia.core.db import Session
from advancia.core.money import Money
from advancia.providers.stripe_objects import CardPayout


def fee_posting(provider: str, fee: Money) -> ledger.Posting:
    """What a provider keeps for itself: it lies there for us no longer, and is the house's cost."""
    return ledger.Posting(ledger.house("fees"), ledger.clearing(provider), fee)


def settle(session: Session, *, provider: str, told: CardPayout) -> str:
    """Book a payout once it is paid, and undo it when it comes back. Repeatable, in any order."""
    reference = f"payout:{told.id}"
    if told.amount is None:
        return "payout of a currency that we do not keep"
    is_booked = ledger.transaction(session, reference) is not None
    if told.is_paid and told.amount:
        ledger.post(
            session,
            reference=reference,
            kind="payout",
            postings=[ledger.Posting(ledger.house("bank"), ledger.clearing(provider), told.amount)],
            meta={"provider": provider},
        )
        return "payout booked"
    if told.failed and is_booked:
        ledger.reverse(
            session, transaction_reference=reference, reference=f"{reference}:undone", reason="It came back"
        )
        return "payout undone"
    return f"payout {told.status}"
