"""What a check of the books has read and found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["proven", "empty", "wrong"]

NAMED_AT_MOST = 100  # rows at fault that each part of a check names


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that does not agree with the others: which `check` found it, and what it `told`."""

    check: str
    told: str

    def __str__(self) -> str:
        return f"{self.check}: {self.told}"


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What was read and what was found. An empty ledger is right, but proves nothing.

    `unsealed` is how many transactions, at most, no seal covers yet. `head` is the newest seal, as the log has it.
    """

    is_full: bool
    is_empty: bool
    entries: int
    accounts: int
    transactions: int
    seals: int
    unsealed: int
    head: str | None
    differences: tuple[Difference, ...]
    seconds: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def is_right(self) -> bool:
        return not self.differences

    @property
    def verdict(self) -> Verdict:
        if self.differences:
            return "wrong"
        return "empty" if self.is_empty else "proven"
