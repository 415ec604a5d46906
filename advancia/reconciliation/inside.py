"""The inside: our books against themselves, and against what each feature says of its own.

Every check reads in the one snapshot that its session holds open. A new one is a line in `CHECKS`, with its statements
in `inside_sql`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from advancia.core.jobs import Job
from advancia.ledger import check
from advancia.ledger.report import NAMED_AT_MOST, Difference, LedgerReport
from advancia.reconciliation import inside_sql as sql
from advancia.reconciliation.found import Found, Kind, Side, Tally

AT_ONCE = 500  # rows that are fetched together
KEPT_AT_MOST = 1000  # differences of one check that a run names; all of them are counted
LEDGER = "ledger"

# Work that is not done moves money late, or not at all. Mails are not among it.
MOVES_MONEY = (Job.APPLY_WEBHOOK, Job.BOOK_FEE, Job.SEND_REFUND, Job.EXPIRE_DEPOSITS, Job.CHASE_PAYMENTS)

SealKeys = Iterable[tuple[str, bytes]]


@dataclass(frozen=True)
class Check:
    """One look: its name, what it holds against what, and its statements."""

    name: str
    words: str
    differing: str
    compared: str
    values: dict[str, Any] = field(default_factory=dict)

    def differences(self, session: Session) -> Iterator[Found]:
        """What differs, row by row, however many there are."""
        statement = text(self.differing).execution_options(yield_per=AT_ONCE)
        for row in session.execute(statement, self.values):
            yield _found(self.name, row)

    def count(self, session: Session) -> int:
        """How much there was to compare."""
        return session.scalar(text(self.compared), self.values) or 0


CHECKS: tuple[Check, ...] = (
    Check("deposits", "Paid deposits against their credits", sql.DEPOSITS, sql.DEPOSITS_COMPARED),
    Check("duplicates", "Each payment booked once", sql.DUPLICATES, sql.DUPLICATES_COMPARED),
    Check("refunds", "Refunds against what was taken for them", sql.REFUNDS, sql.REFUNDS_COMPARED),
    Check("strays", "Payments put aside against suspense", sql.STRAYS, sql.STRAYS_COMPARED),
    Check("disputes", "Disputes against what was held and taken", sql.DISPUTES, sql.DISPUTES_COMPARED),
    Check("transfers", "Transfers against their postings", sql.TRANSFERS, sql.TRANSFERS_COMPARED),
    Check("held", "Held balances against open holds", sql.HELD, sql.HELD_COMPARED),
    Check("holds", "Open holds against what they wait for", sql.HOLDS, sql.HOLDS_COMPARED),
    Check("suspense", "The balance of suspense against what waits there", sql.SUSPENSE, sql.SUSPENSE_COMPARED),
    Check("floors", "No account of the house below its floor", sql.FLOORS, sql.FLOORS_COMPARED),
    Check("clearing", "What was booked at providers has its reason", sql.CLEARING, sql.CLEARING_COMPARED),
    Check("webhooks", "Events from providers are worked off", sql.WEBHOOKS, sql.WEBHOOKS_COMPARED),
    Check("work", "Work that moves money is done", sql.WORK, sql.WORK_COMPARED, {"moves_money": [*MOVES_MONEY]}),
    Check("overdue", "Nothing waits that should have ended", sql.OVERDUE, sql.OVERDUE_COMPARED),
)  # fmt: skip

WORDS = {LEDGER: "The ledger against itself: balances, sums, chains and seals"} | {
    each.name: each.words for each in CHECKS
}

# What the ledger's own checks are called here; the others say that a row is not in the state which it should be in.
_LEDGER_KINDS = {
    "balance": Kind.BALANCE,
    "chain": Kind.BALANCE,
    "rollup": Kind.BALANCE,
    "checkpoint": Kind.BALANCE,
    "sum": Kind.SUM,
    "account": Kind.FLOOR,
    "held": Kind.HOLD,
    "seal": Kind.SEAL,
    "asset": Kind.CURRENCY,
    "refund": Kind.AMOUNT,
}
_NAMED = re.compile(r"\b(?:account|transaction|seal|audit record) -?\d+")

Progress = Callable[[str, int, int], None]  # the words of a check, how many are done, and of how many


@dataclass(frozen=True)
class Looked:
    """What one check came to; `is_whole` is false when it names only some of its differences."""

    tally: Tally
    found: Sequence[Found]
    is_whole: bool


def look(session: Session, *, seal_keys: SealKeys | None, progress: Progress) -> Iterator[Looked]:
    """Do all checks in the snapshot that `session`, which is REPEATABLE READ, holds open."""
    of = len(CHECKS) + 1
    progress(WORDS[LEDGER], 0, of)
    snapshot = session.scalars(text("select pg_export_snapshot()")).one()
    yield _of_ledger(check.run(session, keys=seal_keys, snapshot=snapshot))
    for done, each in enumerate(CHECKS, start=1):
        progress(each.words, done, of)
        yield _looked(each, session)


def _looked(check: Check, session: Session) -> Looked:
    found: list[Found] = []
    differing = 0
    for differing, each in enumerate(check.differences(session), start=1):  # noqa: B007 - counted to the end
        if len(found) < KEPT_AT_MOST:
            found.append(each)
    tally = Tally(
        side=Side.INSIDE,
        check=check.name,
        words=check.words,
        compared=check.count(session),
        differing=differing,
    )
    return Looked(tally, found, is_whole=differing == len(found))


def _of_ledger(report: LedgerReport) -> Looked:
    found = {each.key: each for each in map(_of_difference, report.differences)}
    tally = Tally(
        side=Side.INSIDE,
        check=LEDGER,
        words=WORDS[LEDGER],
        compared=report.entries,
        differing=len(found),
    )
    return Looked(tally, list(found.values()), is_whole=len(report.differences) < NAMED_AT_MOST)


def _of_difference(told: Difference) -> Found:
    """A difference that the ledger has found, under a name that stays while its figures change."""
    named = _NAMED.findall(told.told)
    name = " ".join(named) or hashlib.sha256(told.told.encode()).hexdigest()[:16]
    return Found(
        side=Side.INSIDE,
        check=LEDGER,
        kind=_LEDGER_KINDS.get(told.check, Kind.STATE),
        key=f"{LEDGER}:{told.check}:{name}",
        words=f"{told.told[:1].upper()}{told.told[1:]}.",
    )


def _found(name: str, row: Row[Any]) -> Found:
    ours, theirs = row.our_amount, row.their_amount
    return Found(
        side=Side.INSIDE,
        check=name,
        kind=Kind(row.kind),
        key=row.key,
        words=row.words,
        provider=row.provider,
        our_ref=row.our_ref,
        their_ref=row.their_ref,
        asset=row.asset,
        our_amount=None if ours is None else int(ours),
        their_amount=None if theirs is None else int(theirs),
        happened_at=row.happened_at,
    )
