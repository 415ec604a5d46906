"""What the ledger refuses."""

from __future__ import annotations

from typing import ClassVar

from advancia.core.errors import DomainError
from advancia.core.money import Money
from advancia.ledger.accounts import AccountKey


class LedgerError(DomainError):
    """A posting that the ledger refused; nothing moved, and its reference is still free."""


class InsufficientFunds(LedgerError):
    """There is less on `account` than was `asked` for."""

    def __init__(self, account: AccountKey, *, available: Money, asked: Money) -> None:
        super().__init__(f"There is not enough money: {available} is available.")
        self.account = account
        self.available = available
        self.asked = asked


class ReferenceConflict(LedgerError):
    """The reference already stands for a transaction with other content."""

    def __init__(self, reference: str) -> None:
        super().__init__("This was already done with other details. Nothing was moved now.")
        self.reference = reference


class NoSuchTransaction(LedgerError):
    """Under `reference` there is no transaction, or no hold when a hold was asked for."""

    def __init__(self, reference: str) -> None:
        super().__init__("There is nothing of that kind to finish or to undo. Nothing was moved now.")
        self.reference = reference


class AlreadyDone(LedgerError):
    """Another transaction got here first: the one under `by`. `reference` is what it ended or undid."""

    text = "This was already done."

    def __init__(self, reference: str, *, by: str) -> None:
        super().__init__(self.text)
        self.reference = reference
        self.by = by


class AlreadyResolved(AlreadyDone):
    """The hold was captured or released before."""

    text = "This was already finished. Nothing was moved now."


class AlreadyReversed(AlreadyDone):
    """The transaction was reversed before."""

    text = "This was already reversed. Nothing was moved now."


class AlreadyRefunded(AlreadyDone):
    """The transaction was refunded, wholly or in part, so reversing it would pay twice; refund the rest instead."""

    text = (
        "A part of this or all of it was already refunded, so it cannot be reversed. Refund the rest instead."
    )


class NotReversible(LedgerError):
    """Undoing `reference` makes no sense. `why`: `hold`, `reversal` or `nothing`."""

    texts: ClassVar = {
        "hold": "Money that is set aside is released, not reversed.",
        "reversal": "A reversal cannot be reversed.",
        "nothing": "This moved nothing that could be reversed.",
    }

    def __init__(self, reference: str, *, why: str) -> None:
        super().__init__(self.texts[why])
        self.reference = reference
        self.why = why


class NotRefundable(LedgerError):
    """Giving back a part of `reference` makes no sense. `why`: `hold`, `reversal`, `refund` or `parties`."""

    texts: ClassVar = {
        "hold": "Money that is set aside is released, not refunded.",
        "reversal": "A reversal cannot be refunded.",
        "refund": "A refund cannot be refunded.",
        "parties": "Only a payment from one account to one customer can be refunded.",
    }

    def __init__(self, reference: str, *, why: str) -> None:
        super().__init__(self.texts[why])
        self.reference = reference
        self.why = why


class RefundTooLarge(LedgerError):
    """More was `asked` for than is `left` of the payment after the refunds before this one."""

    def __init__(self, reference: str, *, left: Money, asked: Money) -> None:
        super().__init__(f"That is more than is left to refund: {left}.")
        self.reference = reference
        self.left = left
        self.asked = asked


class CaptureTooLarge(LedgerError):
    """More was `asked` for than is `held`."""

    def __init__(self, reference: str, *, held: Money, asked: Money) -> None:
        super().__init__(f"That is more than was set aside: {held}.")
        self.reference = reference
        self.held = held
        self.asked = asked


class MalformedPosting(ValueError):
    """A posting that can never be right: a mistake in our code, so its text is for the log alone."""
