"""What a customer has, and what has moved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from advancia import ledger
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Money
from advancia.identity import queries as people
from advancia.identity.queries import Person
from advancia.ledger.links import Links, links_of
from advancia.ledger.queries import Direction

PAGE_SIZE = 25
KIND_WORDS = {
    "deposit": "Money added",
    "transfer": "Transfer",
    "opening": "Opening balance",
    "reversal": "Rolled back",
    "refund": "Refunded",
    "refund_undone": "Refund undone",
    "dispute": "Held for a dispute",
    "dispute_won": "Dispute won",
    "dispute_lost": "Dispute lost",
}
ROLLBACK_KIND = "reversal"
PROVIDER_WORDS = {
    "sandbox": "Sandbox card (simulated)",
    "stripe": "Card (Stripe)",
    "sandbox_crypto": "Sandbox crypto (simulated)",
    "cryptomus": "Crypto (Cryptomus)",
}


class BadCursor(ValueError):
    """The place in the history that an address names is not one."""


@dataclass(frozen=True)
class Movement:
    """One line of the customer's history, in their words."""

    reference: str
    kind: str
    title: str
    detail: str
    when: datetime
    amount: Money
    balance_after: Money
    counterparty: str | None
    counterparty_handle: str | None
    rolled_back_by: str | None = None  # the reference of the transaction that undid this one

    @property
    def kind_words(self) -> str:
        return KIND_WORDS.get(self.kind, self.kind.capitalize())


@dataclass(frozen=True)
class Filters:
    """What of the history is wanted; empty means everything."""

    asset: str | None = None
    direction: Direction | None = None
    kind: str | None = None
    since: date | None = None
    until: date | None = None

    @property
    def any(self) -> bool:
        return any((self.asset, self.direction, self.kind, self.since, self.until))


@dataclass(frozen=True)
class Page:
    """Part of the history, newest first; `older` is the cursor of the page behind it."""

    rows: Sequence[Movement]
    older: str | None


def history(
    session: Session,
    user_id: int,
    *,
    filters: Filters | None = None,
    before: str | None = None,
    size: int = PAGE_SIZE,
) -> Page:
    """A page of the customer's movements, newest first, behind the cursor `before`."""
    wanted = filters or Filters()
    entries = ledger.entries_of(
        session,
        user_id,
        assets=[wanted.asset] if wanted.asset else None,
        kinds=[wanted.kind] if wanted.kind else None,
        since=_start_of(wanted.since),
        until=_end_of(wanted.until),
        direction=wanted.direction,
        before=_read_cursor(before) if before else None,
        limit=size + 1,
    )
    shown = entries[:size]
    others = people.people(session, {entry.counterparty for entry in shown if entry.counterparty})
    links = links_of(session, {entry.txn_id for entry in shown})
    return Page(
        rows=[
            _movement(
                entry,
                entry.amount,
                entry.balance_after,
                others.get(entry.counterparty or 0),
                links[entry.txn_id],
            )
            for entry in shown
        ],
        older=_written_cursor(shown[-1].cursor) if len(entries) > size else None,
    )


def movement(session: Session, user_id: int, reference: str) -> list[Movement]:
    """The customer's own side of that transaction, a line for each asset. Raises `NotFound` if they have none."""
    transaction = ledger.transaction(session, reference)
    if transaction is None:
        raise NotFound
    own = ledger.available(user_id)
    holders = {entry.account.holder for entry in transaction.entries} - {ledger.HOUSE, user_id}
    other = next(iter(people.people(session, holders).values()), None)
    links = links_of(session, [transaction.id])[transaction.id]
    rows = [
        _movement(transaction, entry.amount, entry.balance_after, other, links)
        for entry in transaction.entries
        if entry.account == own and entry.balance_after is not None
    ]
    if not rows:
        raise NotFound
    return rows


def rolled_back_by(session: Session, reference: str) -> str | None:
    """The reference of the rollback that undid the transaction posted under `reference`, if one did."""
    transaction = ledger.transaction(session, reference)
    return _rollback(links_of(session, [transaction.id])[transaction.id]) if transaction else None


def _rollback(links: Links) -> str | None:
    """Its reference; coins that are given back undo their deposit as well, and are no rollback."""
    undone = links.reversed_by
    return undone.reference if undone is not None and undone.kind == ROLLBACK_KIND else None


def _movement(
    source: ledger.EntryRow | ledger.Transaction,
    amount: Money,
    balance_after: Money,
    other: Person | None,
    links: Links,
) -> Movement:
    return Movement(
        reference=source.reference,
        kind=source.kind,
        title=_title(source.kind, amount, other, links),
        detail=source.meta.get("note") or PROVIDER_WORDS.get(source.meta.get("provider", ""), ""),
        when=source.created_at,
        amount=amount,
        balance_after=balance_after,
        counterparty=other.name if other else None,
        counterparty_handle=other.handle if other else None,
        rolled_back_by=_rollback(links),
    )


def _title(kind: str, amount: Money, other: Person | None, links: Links) -> str:
    """What it was; of a rollback what is undone, whose money went the other way."""
    if links.reverses is not None and kind == ROLLBACK_KIND:
        undone = _title(links.reverses.kind, -amount, other, Links())
        return f"{KIND_WORDS['reversal']}: {undone[:1].lower()}{undone[1:]}"
    if other is not None:
        return f"{'To' if amount.is_negative else 'From'} {other.name}"
    return KIND_WORDS.get(kind, kind.capitalize())


def _written_cursor(cursor: ledger.Cursor) -> str:
    return f"{cursor.txn_id}-{cursor.account_id}"


def _read_cursor(written: str) -> ledger.Cursor:
    match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", written)
    if match is None:
        raise BadCursor
    return ledger.Cursor(int(match[1]), int(match[2]))


def _start_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None


def _end_of(day: date | None) -> datetime | None:
    return _start_of(day + timedelta(days=1)) if day and day < date.max else None
