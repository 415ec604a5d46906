"""What a check of a reconciliation gives: each difference that it found, and how much it has looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from advancia.core.db import Session
from advancia.core.errors import DomainError

# The check that each sort of movement at a provider belongs to; what lies there is one of its own.
CHECKS: Final = {
    "payment": "payments", "refund": "refunds", "refund_failed": "refunds", "dispute": "disputes",
    "dispute_won": "disputes", "payout": "payouts", "payout_failed": "payouts", "fee": "fees", "other": "fees",
}  # fmt: skip
BALANCE: Final = "balance"


class Side(StrEnum):
    """Which books: our own against themselves, or against a provider's."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class Kind(StrEnum):
    """What is wrong, in the words of the books. `here` are our books, `there` the provider's."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    FEE = "fee"
    CURRENCY = "currency"
    DUPLICATE = "duplicate"
    TIMING = "timing"
    STATE = "state"
    BALANCE = "balance"
    SUM = "sum"
    HOLD = "hold"
    FLOOR = "floor"
    SEAL = "seal"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One difference. Amounts are minor units of `asset`; `key` names the same difference in every run.

    `our_ref` is a ledger reference or an id of ours, `their_ref` an id of the provider's. `happened_at` is when the
    thing itself happened: a run closes what it no longer finds only where its window covers that.
    """

    side: Side
    check: str
    kind: Kind
    key: str
    words: str
    provider: str | None = None
    our_ref: str | None = None
    their_ref: str | None = None
    asset: str | None = None
    our_amount: int | None = None
    their_amount: int | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much a check has looked at, how much of it differs, and how much is on one side only as yet.

    `alarm` says why it proves nothing, if so. `remark` says why it was not looked at, though all else was, and what
    to do about that if something can be done: what is open of it stays open.
    """

    side: Side
    check: str
    words: str
    compared: int
    differing: int
    provider: str | None = None
    alarm: str | None = None
    remark: str | None = None
    in_flight: int = 0


class NotAnswered(DomainError):
    """A provider that could not be asked; the text says what was tried and how it ended, for staff."""


class Outside(Protocol):
    """The books of one provider, as a run asks for them."""

    @property
    def provider(self) -> str:
        """Its name, as `deposit.provider` has it."""

    def collect(self, run_id: int) -> None:
        """Bring both sides into `reconciliation_item`, in units of work of its own, page by page.

        Goes on where an earlier try of the same run has stopped. Raises `NotAnswered`.
        """

    def differences(self, session: Session, run_id: int) -> Iterable[Found]:
        """What the two sides, as collected, do not agree in."""

    def tallies(self, session: Session, run_id: int) -> Iterable[Tally]:
        """How much was compared; asked after `differences` has come to its end."""
