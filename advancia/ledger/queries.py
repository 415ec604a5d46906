"""Reading the ledger. Each of these is one statement, and driven by an index however long the history is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import TextClause

from advancia.core import money
from advancia.core.money import ASSETS, Asset, Money
from advancia.ledger.accounts import AVAILABLE, HELD, HOUSE, AccountKey

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Holding:
    """What a customer has of one asset."""

    asset: Asset
    available: Money
    held: Money

    @property
    def total(self) -> Money:
        return self.available + self.held


class Cursor(NamedTuple):
    """A place in a customer's history: the entries before it are older."""

    txn_id: int
    account_id: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One line of a customer's history. `counterparty` is the other customer in it, if there is one."""

    txn_id: int
    account_id: int
    reference: str
    kind: str
    meta: Mapping[str, Any]
    created_at: datetime
    effective_at: datetime
    amount: Money
    balance_after: Money
    counterparty: int | None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.txn_id, self.account_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a transaction; `balance_after` is kept for customers' accounts only."""

    account: AccountKey
    amount: Money
    balance_after: Money | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A stored transaction with all of its entries, in the order of their accounts."""

    id: int
    reference: str
    kind: str
    meta: Mapping[str, Any]
    created_at: datetime
    effective_at: datetime
    request_id: str | None
    entries: tuple[Entry, ...]


BALANCE = text(
    "select balance from ledger.account where holder = :holder and asset = :asset and purpose = :purpose"
)

# Its last roll-up and the entries after that, as of one moment: both are read by one statement.
BALANCE_OF_HOUSE = text("""
    select coalesce(r.balance, 0) + coalesce((
        select sum(e.amount) from ledger.entry e
        where e.account_id = a.id and e.txn_id > coalesce(r.upto_txn, 0)
    ), 0)
    from ledger.account a
    left join lateral (
        select r.upto_txn, r.balance from ledger.rollup r
        where r.account_id = a.id order by r.upto_txn desc limit 1
    ) r on true
    where a.holder = 0 and a.asset = :asset and a.purpose = :purpose
""")

BALANCES_OF = text("select asset, purpose, balance from ledger.account where holder = :holder")

VERSION_OF = text("select coalesce(sum(seq), 0)::bigint from ledger.account where holder = :holder")

TRANSACTION = text("""
    select t.id, t.reference, t.kind, coalesce(t.meta, '{}') as meta, t.created_at,
           coalesce(t.effective_at, t.created_at) as effective_at, t.request_id,
           a.holder, a.purpose, e.asset, e.amount, e.balance_after
    from ledger.txn t
    join ledger.entry e on e.txn_id = t.id
    join ledger.account a on a.id = e.account_id
    where t.reference = :reference
    order by a.holder, a.asset, a.purpose
""")

# Each account is read backwards from the cursor, at most a page of it; the pages are merged and cut, and
# only then is each line told in full.
ENTRIES_OF = """
    select e.txn_id, e.account_id, e.asset, e.amount, e.balance_after,
           t.reference, t.kind, coalesce(t.meta, '{{}}') as meta, t.created_at,
           coalesce(t.effective_at, t.created_at) as effective_at,
           (select o.holder
            from ledger.entry x join ledger.account o on o.id = x.account_id
            where x.txn_id = e.txn_id and x.account_id <> e.account_id and o.holder not in (0, :holder)
            order by o.holder limit 1) as counterparty
    from (
        select e.*
        from ledger.account a
        cross join lateral ({of_account}) e
        where a.holder = :holder and a.purpose = 'available' {accounts}
        order by e.txn_id desc, e.account_id desc
        limit :limit
    ) e
    join ledger.txn t on t.id = e.txn_id
    order by e.txn_id desc, e.account_id desc
"""

# A page of one account: whatever there is, from the entries ...
UNSIFTED = """
            select e.txn_id, e.account_id, e.asset, e.amount, e.balance_after
            from ledger.entry e {joined}
            where e.account_id = a.id {bounds}
            order by e.txn_id desc
            limit :limit
"""
# ... or of some kinds or one direction, from where they are filed.
SIFTED = """
            select e.txn_id, e.account_id, e.asset, e.amount, e.balance_after
            from ledger.sifted(a.id, {kinds}, {is_in}, {above}, {below}, :limit) s (txn_id)
            join ledger.entry e on e.account_id = a.id and e.txn_id = s.txn_id
"""

OF_ACCOUNT = {"assets": "and a.asset = any(:assets)"}

# Ids rise with time but for concurrent postings and a clock that is set back: the bound by id leaves an
# hour's room and is only there to start near; the time decides.
OF_ENTRY = {"before_txn": "and (e.txn_id, e.account_id) < (:before_txn, :before_account)"}
OF_TXN = {
    "since": "and t.created_at >= :since"
    " and e.txn_id >= (select ledger.txn_id_at(cast(:since as timestamptz) - interval '1 hour'))",
    "until": "and t.created_at < :until"
    " and e.txn_id < (select ledger.txn_id_at(cast(:until as timestamptz) + interval '1 hour'))",
}

# Within one account ids rise with time: the same bounds, exactly.
ABOVE = {"since": "coalesce(ledger.last_before(a.id, :since), 0)"}
BELOW = {
    "before_txn": "cast(:before_txn as bigint) + case when a.id < :before_account then 1 else 0 end",
    "until": "coalesce(ledger.last_before(a.id, :until), 0) + 1",
}
HIGHEST = str(2**63 - 1)
SIFTING = {"kinds", "in", "out"}


def balance(session: Session, key: AccountKey, asset: Asset) -> Money:
    """What is on an account; zero if it was never opened. A house account's is its last roll-up and what came later."""
    sql = BALANCE_OF_HOUSE if key.holder == HOUSE else BALANCE
    found = session.scalar(sql, {"holder": key.holder, "asset": asset.code, "purpose": key.purpose})
    return Money(int(found or 0), asset)


def balances_of(session: Session, user_id: int) -> list[Holding]:
    """What a customer has of every asset, in the order of `ASSETS`; zero where nothing was ever opened."""
    found = {
        (asset, purpose): int(minor)
        for asset, purpose, minor in session.execute(BALANCES_OF, {"holder": user_id})
    }
    return [
        Holding(
            each,
            available=Money(found.get((each.code, AVAILABLE), 0), each),
            held=Money(found.get((each.code, HELD), 0), each),
        )
        for each in ASSETS.values()
    ]


def version_of(session: Session, user_id: int) -> int:
    """A number that rises with every entry on any of the customer's accounts; one indexed read."""
    return int(session.scalar(VERSION_OF, {"holder": user_id}) or 0)


def entries_of(
    session: Session,
    user_id: int,
    *,
    limit: int,
    before: Cursor | None = None,
    assets: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    direction: Direction | None = None,
) -> list[EntryRow]:
    """What happened to a customer's available money, newest first, at most `limit` lines.

    `before` is the cursor of the last line of the page before. `since` is included, `until` is not; both
    go by when it was posted. `None` means no filter, an empty `assets` or `kinds` nothing at all.
    """
    values: dict[str, Any] = {
        "before_txn": before and before.txn_id,
        "assets": None if assets is None else list(assets),
        "kinds": None if kinds is None else list(kinds),
        "since": since,
        "until": until,
    }
    asked = {name: value for name, value in values.items() if value is not None}
    sql = _entries_sql(frozenset(asked) | ({direction} if direction else set()))
    if before is not None:
        asked["before_account"] = before.account_id
    rows = session.execute(sql, {"holder": user_id, "limit": limit, **asked})
    return [_entry_row(row) for row in rows]


@cache
def _entries_sql(filters: frozenset[str]) -> TextClause:
    of_account = _sifted(filters) if filters & SIFTING else _unsifted(filters)
    accounts = " ".join(_asked(filters, OF_ACCOUNT))
    return text(ENTRIES_OF.format(of_account=of_account, accounts=accounts))


def _unsifted(filters: frozenset[str]) -> str:
    of_txn = _asked(filters, OF_TXN)
    return UNSIFTED.format(
        joined="join ledger.txn t on t.id = e.txn_id" if of_txn else "",
        bounds=" ".join([*_asked(filters, OF_ENTRY), *of_txn]),
    )


def _sifted(filters: frozenset[str]) -> str:
    return SIFTED.format(
        kinds="cast(:kinds as text[])" if "kinds" in filters else "null",
        is_in="true" if "in" in filters else "false" if "out" in filters else "null",
        above=next(iter(_asked(filters, ABOVE)), "0"),
        below=f"least({', '.join([HIGHEST, *_asked(filters, BELOW)])})",
    )


def _asked(filters: frozenset[str], clauses: Mapping[str, str]) -> list[str]:
    return [clauses[each] for each in sorted(filters & clauses.keys())]


def _entry_row(row: Any) -> EntryRow:
    asset = money.asset(row.asset)
    return EntryRow(
        txn_id=row.txn_id,
        account_id=row.account_id,
        reference=row.reference,
        kind=row.kind,
        meta=row.meta,
        created_at=row.created_at,
        effective_at=row.effective_at,
        amount=Money(int(row.amount), asset),
        balance_after=Money(int(row.balance_after), asset),
        counterparty=row.counterparty,
    )


def transaction(session: Session, reference: str) -> Transaction | None:
    """The transaction posted under `reference`, with its entries; `None` when there is none."""
    rows = session.execute(TRANSACTION, {"reference": reference}).all()
    if not rows:
        return None
    first = rows[0]
    return Transaction(
        id=first.id,
        reference=first.reference,
        kind=first.kind,
        meta=first.meta,
        created_at=first.created_at,
        effective_at=first.effective_at,
        request_id=first.request_id,
        entries=tuple(_entry(row) for row in rows),
    )


def _entry(row: Any) -> Entry:
    asset = money.asset(row.asset)
    return Entry(
        AccountKey(row.holder, row.purpose),
        amount=Money(int(row.amount), asset),
        balance_after=None if row.balance_after is None else Money(int(row.balance_after), asset),
    )
