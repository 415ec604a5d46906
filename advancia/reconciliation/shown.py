"""Runs and differences as they are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from advancia.core.money import ASSETS, Money
from advancia.core.versions import version_of

KIND_WORDS = {
    "missing_here": "Missing in our books",
    "missing_there": "Missing on the other side",
    "amount": "Another amount",
    "fee": "Another fee",
    "currency": "Another currency",
    "duplicate": "Booked twice",
    "timing": "In flight",
    "state": "Another state",
    "balance": "Another balance",
    "sum": "Does not sum up",
    "hold": "Wrongly held",
    "floor": "Below its floor",
    "seal": "Broken seal",
    "stuck": "Stuck",
}
VERDICT_WORDS = {
    "running": "The reconciliation is at work.",
    "alarm": "The reconciliation could not compare everything, so nothing is proven.",
    "failed": "The reconciliation came to no end.",
}


def money_of(minor: int | Decimal, code: str | None) -> Money | None:
    """The amount, if the books keep such an asset: a provider may tell of others."""
    return Money(int(minor), ASSETS[code]) if code in ASSETS else None


@dataclass(frozen=True)
class CheckLine:
    """What one check of a run has looked at; `remark` says why it has not, if so.

    `whole` is false when more differed than are kept.
    """

    side: str
    check: str
    words: str
    provider: str | None
    compared: int
    differing: int
    alarm: str | None
    whole: bool
    remark: str | None = None
    in_flight: int = 0

    @property
    def matched(self) -> int:
        return max(self.compared - self.differing - self.in_flight, 0)


@dataclass(frozen=True)
class Part:
    """How far a part of a run that is at work has come."""

    name: str
    words: str
    done: int
    of: int | None
    is_over: bool


@dataclass(frozen=True)
class Shown:
    """A run with its verdict, what it has looked at, and its people."""

    id: int
    kind: str
    state: str
    provider: str | None
    window_from: datetime
    window_upto: datetime
    snapshot_at: datetime | None
    begun_at: datetime
    finished_at: datetime | None
    failure: str | None
    asked_by: int | None
    asker: str | None
    signed_off_by: int | None
    signed_off_at: datetime | None
    signer: str | None
    note: str | None
    summary: dict[str, Any]
    progress: dict[str, Any]

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    @property
    def version(self) -> str:
        """Changes with everything that its page shows of it."""
        told = json.dumps([self.state, self.progress, self.signed_off_by], sort_keys=True)
        return f"{self.id}-{version_of(told)}"

    @property
    def has_verdict(self) -> bool:
        return self.state in ("matched", "differs", "alarm")

    @property
    def checks(self) -> list[CheckLine]:
        names = CheckLine.__dataclass_fields__
        told = self.summary.get("checks", ())
        return [CheckLine(**{name: each[name] for name in names if name in each}) for each in told]

    def checks_of(self, side: str) -> list[CheckLine]:
        return [each for each in self.checks if each.side == side]

    @property
    def alarms(self) -> Sequence[str]:
        return list(self.summary.get("alarms", ()))

    @property
    def remarks(self) -> list[str]:
        """Why some of it was not looked at, though all else was."""
        return [each.remark for each in self.checks if each.remark]

    @property
    def compared(self) -> int:
        return sum(each.compared for each in self.checks)

    @property
    def differing(self) -> int:
        return sum(each.differing for each in self.checks)

    @property
    def open(self) -> int:
        """How many differences were open at its end, but for those in flight."""
        return int(self.summary.get("open", 0))

    @property
    def verdict_words(self) -> str:
        if self.state == "differs":
            counted = _counted(self.open, "difference is", "differences are")
            return " ".join([f"The reconciliation differs: {counted} open.", *self.left_open])
        if self.state == "matched":
            agrees = "what was compared agrees" if self.left_open else "everything agrees"
            return " ".join([f"The reconciliation matches: {agrees}.", *self.left_open])
        return VERDICT_WORDS[self.state]

    @property
    def left_open(self) -> list[str]:
        """What neither agrees nor is open, in a sentence each."""
        in_flight = f"{_counted(self.timing, 'movement is', 'movements are')} in flight"
        some = "" if self.late == self.timing else f"{self.late:,} of them "
        late = f", {some}for more than a day" if self.late else ""
        resolved = f"{_counted(self.resolved, 'difference stands', 'differences stand')} as resolved before."
        checks = f"{_counted(len(self.remarks), 'check was', 'checks were')} not made."
        told = (
            (self.timing, f"{in_flight}{late}."),
            (self.resolved, resolved),
            (self.remarks, checks),
            (self.provider, f"Of the providers only {self.provider} was compared."),
        )
        return [words for is_so, words in told if is_so]

    @property
    def late(self) -> int:
        """How much was in flight for longer than a day."""
        return int(self.summary.get("late", 0))

    @property
    def timing(self) -> int:
        return int(self.summary.get("timing", 0))

    @property
    def resolved(self) -> int:
        return int(self.summary.get("resolved", 0))

    @property
    def passed(self) -> int:
        """How many that were open before it no longer found."""
        return int(self.summary.get("passed", 0))

    @property
    def parts(self) -> list[Part]:
        return [_part(name, told) for name, told in sorted(self.progress.items())]


@dataclass(frozen=True)
class DifferenceRow:
    """A difference with the names of its people."""

    id: int
    run_id: int
    side: str
    check: str
    kind: str
    words: str
    provider: str | None
    our_ref: str | None
    their_ref: str | None
    asset: str | None
    our_amount: int | None
    their_amount: int | None
    happened_at: datetime | None
    found_at: datetime
    state: str
    assigned_to: int | None
    holder: str | None
    resolved_by: int | None
    resolver: str | None
    reason: str | None
    posting: str | None
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.state in ("open", "assigned")

    @property
    def kind_words(self) -> str:
        return KIND_WORDS.get(self.kind, self.kind)

    @property
    def ours(self) -> Money | None:
        return self._money(self.our_amount)

    @property
    def theirs(self) -> Money | None:
        return self._money(self.their_amount)

    @property
    def apart(self) -> Money | None:
        """By how much the other side is above ours; a side that has nothing counts as zero."""
        if self.our_amount is None and self.their_amount is None:
            return None
        return self._money((self.their_amount or 0) - (self.our_amount or 0))

    def _money(self, minor: int | None) -> Money | None:
        return None if minor is None else money_of(minor, self.asset)


@dataclass(frozen=True)
class Wanted:
    """Which differences a list shows; `None` means all. The state "unresolved" is open or assigned."""

    run_id: int | None = None
    side: str | None = None
    state: str | None = None
    kind: str | None = None
    check: str | None = None
    provider: str | None = None


@dataclass(frozen=True)
class Colleague:
    """Somebody of the staff who may reconcile."""

    id: int
    name: str
    role: str


def _counted(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"


def _part(name: str, told: dict[str, Any]) -> Part:
    return Part(
        name=name,
        words=str(told.get("words", name)),
        done=int(told.get("done") or 0),
        of=told.get("of"),
        is_over=bool(told.get("over")),
    )
