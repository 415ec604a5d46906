"""Crypto payments that go back: what an invoice's state says of its refund, whoever asked for it.

An invoice is given back whole, or not at all, and its state is all that the provider tells. If a refund fails, another
may follow; so the one that has not failed is meant, and one that is told of without any is noted anew.
"""

from __future__ import annotations

from sqlalchemy import func, select

from advancia.core.db import Session
from advancia.core.money import Money, asset
from advancia.payments import whereabouts
from advancia.payments.models import Refund
from advancia.payments.refunds import booking
from advancia.payments.refunds import services as refunds
from advancia.payments.strays import services as strays
from advancia.payments.whereabouts import Place
from advancia.providers.cryptomus import Invoice
from advancia.providers.cryptomus_states import Meaning, words_for


def follow(session: Session, place: Place, invoice: Invoice) -> str:
    """The provider is giving the payment back, or has: book that, unless it is booked, and write down how far it is."""
    refund = refunds.standing(session, place)
    is_done = invoice.meaning is Meaning.RETURNED
    if refund is None:
        return _note(session, place, invoice, is_done=is_done)
    if is_done:
        booking.succeed(session, refund, deposit=place.deposit)
    elif refund.state == "asked":
        refund.state = "pending"
    return f"refund {refund.state}"


def undo(session: Session, place: Place, invoice: Invoice) -> str:
    """Giving back has failed: put back what was taken for it. Empty when nothing was.

    A refund that waits to be sent is none of this invoice's past.
    """
    refund = refunds.standing(session, place)
    if refund is None or (refund.state == "asked" and refund.sent_at is None):
        return ""
    return refunds.fail(session, refund, words_for(invoice.status), deposit=place.deposit, stray=place.stray)


def of_no_deposit(session: Session, *, provider: str, invoice: Invoice) -> str | None:
    """What an invoice comes to that belongs to no deposit, but lies in suspense; None for one that we do not know."""
    place = whereabouts.of_payment(session, provider=provider, payment_id=invoice.id)
    if place is None or place.deposit is not None:
        return None
    if invoice.meaning in (Meaning.RETURNING, Meaning.RETURNED):
        return follow(session, place, invoice)
    if invoice.meaning is Meaning.NOT_RETURNED:
        return undo(session, place, invoice) or "stays in suspense"
    return "is in suspense already" if invoice.meaning is Meaning.CREDIT else None


def _note(session: Session, place: Place, invoice: Invoice, *, is_done: bool) -> str:
    amount = _amount(place)
    if amount is None:
        return strays.note_return(session, place.stray) if place.stray else "is not in suspense"
    if not amount:
        return "has gone before"
    state = "succeeded" if is_done else "pending"
    refunds.note(
        session, place, amount=amount, provider_refund_id=_name(session, place, invoice), state=state
    )
    return f"refund {state}, made at the provider"


def _amount(place: Place) -> Money | None:
    """All of it: what was credited, or what lies in suspense."""
    if place.paid_deposit_id is not None and place.deposit is not None:
        return Money(int(place.deposit.credited or 0), asset(place.deposit.asset))
    return strays.left(place.stray) if place.stray is not None else None


def _name(session: Session, place: Place, invoice: Invoice) -> str:
    """The provider gives refunds no id of their own, so they are counted."""
    before = session.scalar(select(func.count()).select_from(Refund).where(refunds.of_place(place)))
    return f"{invoice.id}:refund:{before + 1}" if before else f"{invoice.id}:refund"
