"""Which posting between accounts of the house would put a difference right."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from advancia import ledger
from advancia.core.db import Session
from advancia.core.money import Money
from advancia.reconciliation.errors import NothingToPost, SameAccount
from advancia.reconciliation.found import CHECKS, Kind, Side
from advancia.reconciliation.shown import DifferenceRow

SUSPENSE, FEES, TREASURY, BANK = "suspense", "fees", "treasury", "bank"
CLEARING = "clearing."
PAYOUTS = CHECKS["payout"]

HOUSE_PURPOSES = text("select name from ledger.purpose where of_house order by name")


@dataclass(frozen=True)
class Correction:
    """`amount`, which is above zero, goes from one account of the house to another."""

    source: str
    destination: str
    amount: Money

    @property
    def posting(self) -> ledger.Posting:
        return ledger.Posting(ledger.house(self.source), ledger.house(self.destination), self.amount)

    @property
    def legs(self) -> list[tuple[ledger.AccountKey, Money]]:
        """What would stand in the books: the debit, then the credit."""
        return [
            (ledger.house(self.source), -self.amount),
            (ledger.house(self.destination), self.amount),
        ]


def reference_of(difference_id: int) -> str:
    """Under which a difference is put right: at most once."""
    return f"reconciliation:{difference_id}"


def purposes(session: Session) -> list[str]:
    """The accounts that a correction may move between."""
    return list(session.scalars(HOUSE_PURPOSES))


def amount_of(row: DifferenceRow) -> Money | None:
    """What a correction would move; `None` where no amount differs."""
    return abs_of(row.apart) if row.apart else None


def abs_of(money: Money) -> Money:
    return -money if money.is_negative else money


def proposed(row: DifferenceRow) -> Correction | None:
    """The correction that its kind suggests. What a provider has beyond our books waits in suspense for its owner.

    What was paid out has come to an account of ours, as far as nobody knows better: suspense has never held it.
    """
    amount, apart = amount_of(row), row.apart
    if amount is None or apart is None:
        return None
    more_there = not apart.is_negative
    if row.side == Side.OUTSIDE and row.provider:
        clearing = f"{CLEARING}{row.provider}"
        if row.kind == Kind.FEE or row.check == FEES:
            return _either(clearing, FEES, amount, forward=more_there)
        if row.check == PAYOUTS:
            return _either(clearing, BANK, amount, forward=more_there)
        return _either(clearing, SUSPENSE, amount, forward=more_there)
    if row.check == SUSPENSE:
        return _either(TREASURY, SUSPENSE, amount, forward=more_there)
    return None


def chosen(row: DifferenceRow, *, source: str, destination: str) -> Correction:
    """The correction between accounts that somebody has chosen. Raises `NothingToPost`, `SameAccount`."""
    amount = amount_of(row)
    if amount is None:
        raise NothingToPost
    if source == destination:
        raise SameAccount
    return Correction(source, destination, amount)


def _either(first: str, second: str, amount: Money, *, forward: bool) -> Correction:
    return Correction(first, second, amount) if forward else Correction(second, first, amount)
