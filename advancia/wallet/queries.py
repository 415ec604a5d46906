"""What a customer has, and what has moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from advancia import ledger
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Asset, Money
from advancia.identity import queries as people
from advancia.identity.queries import Person

PAGE_SIZE = 25
KIND_WORDS = {"deposit": "Money added", "transfer": "Transfer", "opening": "Opening balance"}
PROVIDER_WORDS = {"sandbox": "Sandbox card (simulated)", "stripe": "Card (Stripe)"}


@dataclass(frozen=True)
class WalletLine:
    """One asset of the customer's."""

    asset: Asset
    available: Money
    held: Money

    @property
    def total(self) -> Money:
        return self.available + self.held


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
    cursor: str

    @property
    def kind_words(self) -> str:
        return KIND_WORDS.get(self.kind, self.kind.capitalize())


@dataclass(frozen=True)
class Filters:
    """What of the history is wanted; empty means everything."""

    asset: str | None = None
    direction: str | None = None
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


def wallet_lines(session: Session, user_id: int) -> list[WalletLine]:
    """Every asset, also those that the customer has never held."""
    return [
        WalletLine(asset=each.asset, available=each.available, held=each.held)
        for each in ledger.balances_of(session, user_id)
    ]


def history(
    session: Session, user_id: int, *, filters: Filters | None = None, before: str | None = None, size: int = PAGE_SIZE
) -> Page:
    """A page of the customer's movements, newest first, behind the cursor `before`."""
    wanted = filters or Filters()
    entries = ledger.entries_of(
        session,
        user_id,
        assets=[wanted.asset] if wanted.asset else None,
        kinds=[wanted.kind] if wanted.kind else None,
        since=_start_of(wanted.since),
        until=_start_of(wanted.until + timedelta(days=1)) if wanted.until else None,
        direction=wanted.direction,
        before=ledger.Cursor.parse(before) if before else None,
        limit=size + 1,
    )
    rows = _movements(session, entries[:size])
    return Page(rows=rows, older=rows[-1].cursor if len(entries) > size else None)


def movement(session: Session, user_id: int, reference: str) -> list[Movement]:
    """The customer's own side of that transaction, a line for each asset. Raises `NotFound` if they have none."""
    rows = _movements(session, ledger.entries_by_reference(session, user_id, reference))
    if not rows:
        raise NotFound
    return rows


def _movements(session: Session, entries: Sequence[ledger.EntryRow]) -> list[Movement]:
    others = people.people(session, {entry.counterparty for entry in entries if entry.counterparty})
    return [_movement(entry, others.get(entry.counterparty or 0)) for entry in entries]


def _movement(entry: ledger.EntryRow, other: Person | None) -> Movement:
    return Movement(
        reference=entry.reference,
        kind=entry.kind,
        title=_title(entry, other),
        detail=entry.meta.get("note") or PROVIDER_WORDS.get(entry.meta.get("provider", ""), ""),
        when=entry.created_at,
        amount=entry.amount,
        balance_after=entry.balance_after,
        counterparty=other.name if other else None,
        counterparty_handle=other.handle if other else None,
        cursor=str(entry.cursor),
    )


def _title(entry: ledger.EntryRow, other: Person | None) -> str:
    if other is None:
        return KIND_WORDS.get(entry.kind, entry.kind.capitalize())
    return f"To {other.name}" if entry.amount.is_negative else f"From {other.name}"


def _start_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None
