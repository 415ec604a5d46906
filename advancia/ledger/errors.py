"""What the ledger refuses."""

from __future__ import annotations

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


class MalformedPosting(ValueError):
    """A posting that can never be right: a mistake in our code, so its text is for the log alone."""
