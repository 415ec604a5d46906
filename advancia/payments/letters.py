"""What a customer is told by mail about a payment after it was made, beside the receipt."""

from __future__ import annotations

from enum import StrEnum

from advancia.core import outbox
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.payments.models import Deposit


class Letter(StrEnum):
    """The news, each with its subject and what it means for the customer."""

    CHECKED = "checked"
    REFUND = "refund"
    REFUND_FAILED = "refund failed"
    SENT_BACK = "sent back"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute won"
    DISPUTE_LOST = "dispute lost"


WORDS = {
    Letter.CHECKED: (
        "Your payment of {amount} is being checked",
        "It has arrived, and we look at it by hand before it can be used. You need not do anything.",
    ),
    Letter.REFUND: (
        "{amount} goes back to you",
        "The amount has left your wallet and goes back to you. Coins take an hour, some banks take days.",
    ),
    Letter.REFUND_FAILED: (
        "{amount} could not be given back",
        "The amount could not be delivered, so it is in your wallet again.",
    ),
    Letter.SENT_BACK: (
        "{amount} goes back to where it came from",
        "We could not put your payment into your wallet, so it goes back. With some banks that takes days.",
    ),
    Letter.DISPUTED: (
        "Your bank has taken back a payment of {amount}",
        "We hold the amount until your bank has decided. If that was not you, write to us and to your bank.",
    ),
    Letter.DISPUTE_WON: (
        "Your payment of {amount} stands",
        "Your bank has decided that the payment stands. What we held is yours again.",
    ),
    Letter.DISPUTE_LOST: (
        "Your bank has taken {amount} back for good",
        "Your bank has decided for taking the payment back. What we held has gone there.",
    ),
}


def send(session: Session, deposit: Deposit, letter: Letter, amount: Money) -> None:
    """Queue the mail with the caller's unit of work."""
    subject, words = WORDS[letter]
    facts = {
        "deposit_id": str(deposit.id),
        "amount": str(amount),
        "subject": subject.format(amount=amount),
        "words": words,
    }
    outbox.put(session, Job.SEND_EMAIL, template="deposit_news", user_id=deposit.user_id, facts=facts)
