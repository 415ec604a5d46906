"""What a customer is told by mail about a payment after it was made, beside the receipt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from advancia.core import outbox
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.payments import offers
from advancia.payments.models import Deposit
from advancia.payments.wording import SEND_THE_REST


class Letter(StrEnum):
    """The news, each with its subject and what it means for the customer."""

    UNDERPAID = "underpaid"
    FAILED = "failed"
    CHECKED = "checked"
    LOCKED = "locked"
    NOT_LET_THROUGH = "not let through"
    REFUND = "refund"
    REFUND_FAILED = "refund failed"
    SENT_BACK = "sent back"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute won"
    DISPUTE_LOST = "dispute lost"
    DEBT = "debt"


@dataclass(frozen=True)
class Words:
    """A mail's subject, what it says, and what the amount in it is."""

    subject: str
    text: str
    label: str = "Payment"


WORDS = {
    Letter.UNDERPAID: Words(
        "A part of your payment of {amount} is missing",
        SEND_THE_REST,
        "Asked for",
    ),
    Letter.FAILED: Words(
        "Your payment of {amount} did not go through",
        "The payment did not go through, so nothing was put into your wallet. You can start again when you like.",
    ),
    Letter.CHECKED: Words(
        "Your payment of {amount} is being checked",
        "It has arrived, and we look at it by hand before it can be used. You need not do anything.",
    ),
    Letter.LOCKED: Words(
        "Your payment of {amount} is being checked",
        "The provider holds it for a check of where the money comes from, which the law asks of it. You need not "
        "do anything; we tell you as soon as it is decided.",
    ),
    Letter.NOT_LET_THROUGH: Words(
        "{amount} goes back to where it came from",
        "The provider has checked your payment and does not let it through, so it sends the money back to where "
        "it came from. Nothing of it was put into your wallet.",
        "Goes back",
    ),
    Letter.REFUND: Words(
        "{amount} goes back to you",
        "The refund goes back to the card or account that you paid with. With some banks that takes days.",
        "Refund",
    ),
    Letter.REFUND_FAILED: Words(
        "{amount} could not be given back",
        "The refund could not be delivered, so the amount is in your wallet again.",
        "Refund",
    ),
    Letter.SENT_BACK: Words(
        "{amount} goes back to where it came from",
        "We could not put your payment into your wallet, so it goes back. With some banks that takes days.",
        "Goes back",
    ),
    Letter.DISPUTED: Words(
        "Your bank has taken back a payment of {amount}",
        "We hold the amount until your bank has decided. If that was not you, write to us and to your bank.",
        "In dispute",
    ),
    Letter.DISPUTE_WON: Words(
        "Your payment of {amount} stands",
        "Your bank has decided that the payment stands. What we held is yours again.",
    ),
    Letter.DISPUTE_LOST: Words(
        "Your bank has taken {amount} back for good",
        "Your bank has decided for taking the payment back. What we held has gone there.",
        "Taken back",
    ),
    Letter.DEBT: Words(
        "You owe us {amount}",
        "Your bank has taken back a payment, and so much of it was not in your wallet any more. Nothing else is "
        "taken out of your wallet for it without a word: we write to you about how to settle it.",
        "You owe us",
    ),
}
FOR_COINS = {
    Letter.REFUND: "The coins go back to the address that was agreed on. It takes about an hour.",
    Letter.SENT_BACK: "We could not put your payment into your wallet, so the coins go back. It takes about an hour.",
}


def send(
    session: Session, deposit: Deposit, letter: Letter, amount: Money, *, posted_as: str | None = None
) -> None:
    """Queue the mail with the caller's unit of work.

    `posted_as` is the transaction that takes the amount from the customer: the mail says what of it they owe.
    """
    words = WORDS[letter]
    text = FOR_COINS.get(letter, words.text) if deposit.provider in offers.CRYPTO else words.text
    if letter is Letter.UNDERPAID and deposit.failure:
        text = f"{deposit.failure} {text}"
    facts = {
        "deposit_id": str(deposit.id),
        "amount": str(amount),
        "subject": words.subject.format(amount=amount),
        "words": text,
        "label": words.label,
        **({"posted_as": posted_as} if posted_as else {}),
    }
    outbox.put(session, Job.SEND_EMAIL, template="deposit_news", user_id=deposit.user_id, facts=facts)
