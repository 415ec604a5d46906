"""What each state of a Cryptomus invoice means: for the customer in words, and for the books as a movement."""

from __future__ import annotations

from enum import StrEnum


class Meaning(StrEnum):
    """What an invoice's state asks of us."""

    WAITING = "waiting"  # nothing has arrived; nothing moves
    SEEN = "seen"  # the payment is on the network, unconfirmed; nothing moves yet
    CREDIT = "credit"  # what arrived is ours: it is credited, more or less than asked
    LOCKED = "locked"  # held for a check against money laundering; nothing moves until it is decided
    RETURNING = "returning"  # the provider gives the money back: what was credited is taken back
    RETURNED = "returned"  # as before, and done
    NOT_RETURNED = "not returned"  # giving back has failed: what arrived is the customer's again
    UNPAID = "unpaid"  # the invoice ended without a payment
    FAILED = "failed"  # the payment failed on its way; nothing arrived
    UNKNOWN = "unknown"  # a state that we have not heard of: staff look at it


MEANING = {
    "check": Meaning.WAITING,
    "process": Meaning.WAITING,
    "confirm_check": Meaning.SEEN,
    "wrong_amount_waiting": Meaning.SEEN,
    "paid": Meaning.CREDIT,
    "paid_over": Meaning.CREDIT,
    "wrong_amount": Meaning.CREDIT,
    "locked": Meaning.LOCKED,
    "refund_process": Meaning.RETURNING,
    "refund_paid": Meaning.RETURNED,
    "refund_fail": Meaning.NOT_RETURNED,
    "cancel": Meaning.UNPAID,
    "fail": Meaning.FAILED,
    "system_fail": Meaning.FAILED,
}

WORDS = {
    "check": "We wait for your payment to appear on the network.",
    "process": "We wait for your payment to appear on the network.",
    "confirm_check": "Your payment is on the network. It counts once the network has confirmed it often enough.",
    "wrong_amount_waiting": "Less than the amount has arrived. Send the rest to the same address before the page "
    "closes; otherwise what has arrived is put into your wallet.",
    "paid": "The whole amount has arrived.",
    "paid_over": "More than the amount has arrived. All of it is in your wallet.",
    "wrong_amount": "Less than the amount has arrived. What arrived is in your wallet.",
    "locked": "The payment is held for a check of where the money comes from, which the law asks of the provider. "
    "We tell you as soon as it is decided.",
    "refund_process": "The provider is sending the money back to where it came from.",
    "refund_paid": "The provider has sent the money back to where it came from.",
    "refund_fail": "The money could not be sent back, so it stays with us.",
    "cancel": "Nothing was paid before the page closed.",
    "fail": "The payment failed. Nothing has arrived.",
    "system_fail": "The payment failed at the provider. Nothing has arrived.",
}


def meaning_of(state: str) -> Meaning:
    """What the state asks of us; `UNKNOWN` for one that we have not heard of."""
    return MEANING.get(state, Meaning.UNKNOWN)


def words_for(state: str) -> str:
    """The state in a sentence for the customer."""
    return WORDS.get(state, "The provider is looking into your payment. We tell you as soon as we know more.")
