"""The books at a time: what was on an account then, and what happened to it between two times.

They go by when things were posted (`created_at`). `effective_at` is told beside it and moves no balance: what
becomes known later never rewrites a statement that was given out before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from advancia.core.money import Asset, Money
from advancia.ledger.accounts import HOUSE, AccountKey

AT_ONCE = 1000  # rows that are fetched together
NEXT_MOMENT = timedelta(microseconds=1)  # what the database can tell apart

BALANCE_BEFORE = text("""
    select ledger.balance_before(a.id, :at) from ledger.account a
    where a.holder = :holder and a.asset = :asset and a.purpose = :purpose
""")

# One statement, and so one moment: first a row with the balances at both ends, then the entries in between.
STATEMENT = """
    with a as materialized (
        select a.id, {bounds} from ledger.account a
        where a.holder = :holder and a.asset = :asset and a.purpose = :purpose
    ), told as (
        select null::bigint as txn_id, {opening} as amount, {closing} as balance,
               null as reference, null as kind, null::jsonb as meta,
               null::timestamptz as created_at, null::timestamptz as effective_at
        from a
        union all
        select e.txn_id, e.amount, e.balance_after, t.reference, t.kind, coalesce(t.meta, '{{}}'),
               t.created_at, coalesce(t.effective_at, t.created_at)
        from a
        join ledger.entry e on e.account_id = a.id
        join ledger.txn t on t.id = e.txn_id
        where {between}
    )
    select * from told order by txn_id nulls first
"""

# A running account's entries are in one order, by which each balance stands beside its entry.
OF_CUSTOMER = text(
    STATEMENT.format(
        bounds="coalesce(ledger.last_before(a.id, :since), 0) as first,"
        " coalesce(ledger.last_before(a.id, :until), 0) as last",
        opening="coalesce((select balance_after from ledger.entry where account_id = a.id and txn_id = a.first), 0)",
        closing="coalesce((select balance_after from ledger.entry where account_id = a.id and txn_id = a.last), 0)",
        between="e.txn_id > a.first and e.txn_id <= a.last",
    )
)
# A house account is posted to by many at once, so that ids and times may be a little out of step: the time decides.
OF_HOUSE = text(
    STATEMENT.format(
        bounds="ledger.txn_id_at(cast(:since as timestamptz) - interval '1 hour') as first,"
        " ledger.txn_id_at(cast(:until as timestamptz) + interval '1 hour') as last",
        opening="ledger.balance_before(a.id, :since)",
        closing="ledger.balance_before(a.id, :until)",
        between="e.txn_id >= a.first and e.txn_id < a.last and t.created_at >= :since and t.created_at < :until",
    )
)


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One line of a statement; `balance` is what was on the account after it."""

    txn_id: int
    reference: str
    kind: str
    meta: Mapping[str, Any]
    created_at: datetime
    effective_at: datetime
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """What happened to an account from `since` until before `until`; the entries can be gone through once."""

    account: AccountKey
    since: datetime
    until: datetime
    opening: Money
    closing: Money
    entries: Iterator[StatementEntry]


def balance_at(session: Session, key: AccountKey, asset: Asset, at: datetime) -> Money:
    """What was on the account at that moment, with what was posted in it; zero if it was not opened yet."""
    found = session.scalar(BALANCE_BEFORE, {"at": at + NEXT_MOMENT, **_names(key, asset)})
    return Money(int(found or 0), asset)


def statement_of(
    session: Session, key: AccountKey, asset: Asset, since: datetime, until: datetime
) -> Statement:
    """The balance at both ends, and every entry in between, read as of one moment and given as they come.

    `since` is included, `until` is not, so statements of adjoining times join without gap or overlap. Entries
    are fetched a thousand at a time, however many there are; the session must stay open meanwhile.
    Raises `ValueError` when `until` is before `since`.
    """
    if until < since:
        raise ValueError("A statement ends after it begins.")
    rows = iter(
        session.execute(
            OF_HOUSE if key.holder == HOUSE else OF_CUSTOMER,
            {"since": since, "until": until, **_names(key, asset)},
            execution_options={"yield_per": AT_ONCE},
        )
    )
    ends = next(rows, None)
    opening = Money(int(ends.amount) if ends else 0, asset)
    closing = Money(int(ends.balance) if ends else 0, asset)
    return Statement(key, since, until, opening, closing, _entries(rows, opening))


def _entries(rows: Iterator[Row[Any]], balance: Money) -> Iterator[StatementEntry]:
    for row in rows:
        amount = Money(int(row.amount), balance.asset)
        balance = balance + amount
        yield StatementEntry(
            row.txn_id, row.reference, row.kind, row.meta, row.created_at, row.effective_at, amount, balance
        )


def _names(key: AccountKey, asset: Asset) -> dict[str, Any]:
    return {"holder": key.holder, "asset": asset.code, "purpose": key.purpose}
