"""Crypto deposits: what an invoice's state means for the deposit and for the books."""

from __future__ import annotations

from datetime import timedelta

from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.money import Money
from advancia.payments import letters, whereabouts
from advancia.payments.crediting import Arrival, credit, set_aside
from advancia.payments.errors import WrongCheckout
from advancia.payments.letters import Letter
from advancia.payments.models import Deposit
from advancia.payments.refunds import coins
from advancia.payments.services import close, locked
from advancia.payments.strays import services as strays
from advancia.providers.cryptomus import Invoice, network_words
from advancia.providers.cryptomus_states import Meaning, words_for

# Blocks may be slow: a payment that has been seen is waited for this long before anybody worries.
CONFIRMED_WITHIN = timedelta(days=2)


def settle(session: Session, *, invoice: Invoice) -> str:
    """Bring the deposit to what its invoice says now; return in a few words what that changed.

    Repeatable, and the same in whatever order it is called: it goes by the provider's present state alone, and each
    movement has a reference of its own. Raises `WrongCheckout` for an invoice or a state that we do not know.
    """
    deposit = locked(session, invoice.deposit_id, invoice.id)
    deposit.checkout_id = invoice.id
    deposit.provider_state = invoice.status
    deposit.txid = invoice.txid or deposit.txid
    deposit.network = invoice.network or deposit.network
    match invoice.meaning:
        case Meaning.CREDIT | Meaning.NOT_RETURNED:
            return _received(session, deposit, invoice)
        case Meaning.RETURNING | Meaning.RETURNED:
            return _returned(session, deposit, invoice)
        case Meaning.UNKNOWN:
            raise WrongCheckout(f"Invoice {invoice.id} is in state {invoice.status}, which we do not know.")
        case _:
            return _waits(session, deposit, invoice)


def _waits(session: Session, deposit: Deposit, invoice: Invoice) -> str:
    """Nothing has arrived for good: what is credited stays so, and so does what staff look at."""
    if deposit.state in ("paid", "returned") or (deposit.state == "locked" and deposit.payment_id):
        return f"stays {deposit.state}"
    match invoice.meaning:
        case Meaning.LOCKED:
            return _turn(session, deposit, invoice, "locked", Letter.LOCKED)
        case Meaning.UNPAID:
            return close(deposit, "expired", None)
        case Meaning.FAILED:
            return _turn(session, deposit, invoice, "failed", Letter.FAILED)
        case Meaning.SEEN:
            return _seen(session, deposit, invoice)
        case _:
            return "is still open"


def _seen(session: Session, deposit: Deposit, invoice: Invoice) -> str:
    """Something is on the network. If it is not enough, the payment page is the customer's to use again."""
    if invoice.status == "confirm_check":  # nothing is left to do on the payment page
        deposit.checkout_url = None
        deposit.expires_at = max(deposit.expires_at, utcnow() + CONFIRMED_WITHIN)
        return close(deposit, "pending", None)
    deposit.checkout_url = invoice.url or deposit.checkout_url
    deposit.expires_at = invoice.expires_at or deposit.expires_at
    told = close(deposit, "pending", _what_is_missing(invoice))
    if told == "pending":
        session.flush()
        letters.send(session, deposit, Letter.UNDERPAID, invoice.asked)
    return told


def _what_is_missing(invoice: Invoice) -> str:
    arrived = invoice.arrived
    if arrived is None or arrived.asset != invoice.asked.asset or arrived >= invoice.asked:
        return "Less than the amount has arrived."
    return f"{arrived} has arrived, and {invoice.asked - arrived} is missing."


def _turn(session: Session, deposit: Deposit, invoice: Invoice, state: str, letter: Letter) -> str:
    """Write down what the provider has decided, and tell the customer so, once."""
    told = close(deposit, state, words_for(invoice.status))
    if told == state:
        session.flush()
        letters.send(session, deposit, letter, invoice.arrived or invoice.asked)
    return told


def _received(session: Session, deposit: Deposit, invoice: Invoice) -> str:
    """What arrived is credited, be it less or more than was asked for."""
    if invoice.meaning is Meaning.NOT_RETURNED and (undone := _undo_return(session, deposit, invoice)):
        return undone
    if deposit.state == "paid":
        return "was credited before"
    if strays.holds(session, deposit.id):
        return "waits for staff already"
    if invoice.arrived is None and invoice.arrived_words:
        return _set_aside_unknown(session, deposit, invoice)
    if invoice.arrived is None:
        raise WrongCheckout(f"Invoice {invoice.id} is called {invoice.status}, but nothing has arrived.")
    arrival = Arrival(
        amount=invoice.arrived, fee=invoice.fee or Money.zero(invoice.arrived.asset), payment_id=invoice.id
    )
    if invoice.went_astray:
        over = f"{network_words(invoice.network)}, called {invoice.network} there"
        return set_aside(session, deposit, arrival, f"It came over another network: {over}.")
    return credit(session, deposit, arrival)


def _set_aside_unknown(session: Session, deposit: Deposit, invoice: Invoice) -> str:
    close(deposit, "locked", "Your payment came in another currency than asked for. We look at it by hand.")
    deposit.payment_id = invoice.id
    session.flush()
    letters.send(session, deposit, Letter.CHECKED, invoice.asked)
    strays.put_aside(
        session,
        provider=deposit.provider,
        payment_id=invoice.id,
        amount=None,
        words=invoice.arrived_words,
        reason="It came in a currency that the books do not keep.",
        deposit_id=deposit.id,
    )
    return "waits for staff: another currency"


def _returned(session: Session, deposit: Deposit, invoice: Invoice) -> str:
    """The provider gives back what arrived: it is taken from where it lies; what was never booked moves nothing.

    A credit is undone with its fee, so that the books are the same whether or not we had heard of it in time.
    """
    place = whereabouts.of_payment(session, provider=deposit.provider, payment_id=invoice.id)
    if place is not None:
        return coins.follow(session, place, invoice)
    if invoice.meaning is Meaning.RETURNING:
        return _turn(session, deposit, invoice, "locked", Letter.NOT_LET_THROUGH)
    if deposit.failure == words_for("refund_process"):  # they have been told that it would go back
        return close(deposit, "returned", words_for(invoice.status))
    return _turn(session, deposit, invoice, "returned", Letter.NOT_LET_THROUGH)


def _undo_return(session: Session, deposit: Deposit, invoice: Invoice) -> str:
    """Giving back has failed: what was taken for it is put back. Empty when nothing was taken."""
    place = whereabouts.of_payment(session, provider=deposit.provider, payment_id=invoice.id)
    return coins.undo(session, place, invoice) if place is not None else ""
