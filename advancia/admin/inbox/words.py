"""What became of an event in whole sentences, for the inbox has it in a few words."""

from __future__ import annotations

import re
from collections import Counter

DEPOSIT = "The deposit "
WAITS = "The deposit waits for staff: "
SENTENCES = {
    "The deposit credited": "The deposit was credited.",
    "The deposit was credited before": "The deposit had been credited before.",
    "The deposit is so already": "The deposit was at that already, so nothing has changed.",
    "The deposit is still open": "The deposit still waits for its payment.",
    "The deposit waits for staff already": "The payment was waiting for staff before.",
    "The deposit is looked at by staff": "The payment waits for staff.",
    "The deposit has been given back": "The payment had been given back before.",
    "The deposit expired": "The deposit has expired.",
    "The deposit failed": "The deposit has failed.",
    "The deposit returned": "The payment was given back.",
    "The deposit locked": "The payment is being checked.",
    "The deposit pending": "The deposit waits for its payment.",
    "The deposit waits for a payment that is under way": "The deposit waits for a payment that is on its way.",
    "The payment is in suspense already": "The payment was in suspense before.",
    "payout booked": "The payout to our bank was booked.",
    "payout undone": "The payout to our bank has failed and was undone.",
}
# One, and several of them.
REFUNDS = {
    "refund asked": (
        "A refund is on its way to the provider.",
        "{} refunds are on their way to the provider.",
    ),
    "refund pending": ("A refund is on its way back.", "{} refunds are on their way back."),
    "refund succeeded": ("A refund was given back.", "{} refunds were given back."),
    "refund failed": (
        "A refund could not be given back and was undone.",
        "{} refunds could not be given back and were undone.",
    ),
    "refund failed before": ("A refund had failed before.", "{} refunds had failed before."),
}


def plain(outcome: str | None) -> str:
    """The outcome of an event for staff; what is not known by heart stays as it is, as a sentence."""
    if not outcome:
        return ""
    parts = Counter(_named(part) for part in outcome.removesuffix(".").split("; "))
    return " ".join(_sentence(part, number) for part, number in parts.items())


def _named(part: str) -> str:
    """Coins tell of their refund as of the deposit; it is the refund that is meant."""
    inner = part.removeprefix(DEPOSIT).removeprefix("The payment ")
    return inner if inner in REFUNDS else part


def _sentence(part: str, number: int) -> str:
    if part in REFUNDS:
        one, several = REFUNDS[part]
        return one if number == 1 else several.format(number)
    if part in SENTENCES:
        return SENTENCES[part]
    if part.startswith(WAITS):
        return _as_sentence(f"The payment waits for staff. {_capital(part.removeprefix(WAITS))}")
    return _as_sentence(re.sub(r"^(refund|dispute|payout|fee) ", _of_one, part))


def _of_one(found: re.Match[str]) -> str:
    return f"The {found[0]}" if found[1] == "fee" else f"{found[1].capitalize()} "


def _as_sentence(words: str) -> str:
    return _capital(words) if words.endswith((".", "!", "?")) else f"{_capital(words)}."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
