"""The ledger as plain text, for hledger, beancount and spreadsheets: exact to the last unit, the same every time.

One snapshot is read from beginning to end through cursors of the database, so memory stays flat however long the
history is, and nobody is held up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import TextClause

from advancia.core.errors import DomainError
from advancia.ledger import horizon
from advancia.ledger.export_formats import FORMATS, Account, Format, Journal, Leg, Transaction

AT_A_TIME = 5000  # rows that are held in memory

Bound = date | int  # a day (UTC), or a transaction's id


class CannotExport(DomainError):
    """The range makes no sense, or the format cannot hold what is in it."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What is exported: the transactions from `first` to `last`, both included."""

    first: int
    last: int


NEWEST = text("select coalesce(max(id), 0) from ledger.txn where id <= :upto")

ASSETS = text("select code, decimals from ledger.asset order by code")

# An hour's room for clocks that were set back, as in every search by time.
FIRST_SINCE = text("""
    select coalesce(
        (select t.id from ledger.txn t
         where t.created_at >= :at
           and t.id >= (select ledger.txn_id_at(cast(:at as timestamptz) - interval '1 hour'))
         order by t.id limit 1),
        (select coalesce(max(t.id), 0) + 1 from ledger.txn t))
""")

POSTED_AT = text("""
    select to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD') from ledger.txn t
    where t.id <= :through order by t.id desc limit 1
""")

# What was on each account after transaction `through`. A customer's is the running balance of its last entry, not
# a sum: so whoever adds up the entries that were exported also proves the balances.
BALANCES = text("""
    select a.id, a.holder, a.asset, a.purpose,
           case when a.holder = 0 then (
               select coalesce(sum(e.amount), 0) from ledger.entry e
               where e.account_id = a.id and e.txn_id <= :through
           ) else (
               select e.balance_after from ledger.entry e
               where e.account_id = a.id and e.txn_id <= :through order by e.txn_id desc limit 1
           ) end
    from ledger.account a
    where exists (select from ledger.entry e where e.account_id = a.id and e.txn_id <= :through)
    order by a.holder, a.asset, a.purpose
""")

ACCOUNTS = text("""
    select a.id, a.holder, a.asset, a.purpose
    from ledger.account a
    where exists (select from ledger.entry e where e.account_id = a.id and e.txn_id <= :last)
    order by a.holder, a.asset, a.purpose
""")

ENTRIES = text(r"""
    select t.id, t.reference, t.kind, t.request_id, t.meta::text,
           case when jsonb_typeof(t.meta -> 'note') = 'string' then t.meta ->> 'note' end,
           to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24\:MI\:SS.US"Z"'),
           to_char(t.effective_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24\:MI\:SS.US"Z"'),
           t.is_hold, t.resolves_id, t.reverses_id, t.refunds_id,
           a.id, a.holder, a.asset, a.purpose, e.amount, e.seq, e.balance_after
    from ledger.txn t
    join ledger.entry e on e.txn_id = t.id
    join ledger.account a on a.id = e.account_id
    where t.id between :first and :last
    order by t.id
""")
OF_TXN = 12  # columns that all entries of a transaction share


def export(
    session: Session, *, to: str, since: Bound | None = None, until: Bound | None = None
) -> Iterator[str]:
    """Give the ledger piece by piece, in the format named `to`: one of `FORMATS`.

    `since` and `until` are both included. A day (UTC) stands for the ids that were posted on it, so that one
    month's export ends where the next begins. What was on the accounts before `since` is carried forward.
    Without `until` it goes up to the horizon, so that nothing can still be added to what was exported.
    Raises `CannotExport` and `horizon.HeldBack`, at once or, where only the data can tell, on the way.

    It reads on a connection of its own, in one snapshot; `session` is not disturbed.
    """
    upto = horizon.settled(session).upto_txn
    with Session(session.get_bind()) as own:
        connection = own.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        connection.execute(text("set transaction read only"))
        extract = _extract(connection, upto, since, until)
        decimals = {row.code: row.decimals for row in connection.execute(ASSETS)}
        yield from _written(connection, extract, FORMATS[to](decimals))


def _extract(connection: Connection, upto: int, since: Bound | None, until: Bound | None) -> Extract:
    newest = int(connection.scalar(NEWEST, {"upto": upto}) or 0)
    first = 1 if since is None else _first_of(connection, since)
    if until is None:
        last = newest
    elif isinstance(until, int):
        last = until
    else:
        last = min(newest, _first_of(connection, until + timedelta(days=1)) - 1)
    if last > newest:
        raise CannotExport(f"There is no settled transaction {last} yet: the newest is {newest}.")
    if since is not None and until is not None and first > last + 1:
        raise CannotExport(f"Nothing lies from {since} to {until}: the end is before the beginning.")
    return Extract(min(first, last + 1), last)


def _first_of(connection: Connection, bound: Bound) -> int:
    if isinstance(bound, int):
        return bound
    return int(connection.scalar(FIRST_SINCE, {"at": datetime.combine(bound, time(), UTC)}) or 0)


def _written(connection: Connection, extract: Extract, written: Format) -> Iterator[str]:
    yield written.heading(extract.first, extract.last)
    if isinstance(written, Journal):
        yield from _journal(connection, extract, written)
    else:
        yield from (written.transaction(each) for each in _transactions(connection, extract))


def _journal(connection: Connection, extract: Extract, journal: Journal) -> Iterator[str]:
    """The accounts, what is carried forward, the transactions, and the balances that they must have led to."""
    for account in _accounts(connection, extract.last):
        yield journal.account(account)
    day = connection.scalar(POSTED_AT, {"through": extract.first - 1}) or ""
    try:
        for account, balance in _balances(connection, extract.first - 1):
            yield journal.opening(account, balance, day)
        for transaction in _transactions(connection, extract):
            day = max(day, transaction.day)
            yield journal.transaction(transaction)
    except OverflowError as error:
        raise CannotExport(str(error)) from error
    for account, balance in _balances(connection, extract.last):
        yield journal.closing(account, balance, day)
    yield journal.end(day)


def _accounts(connection: Connection, last: int) -> Iterator[Account]:
    return (Account._make(row) for row in _streamed(connection, ACCOUNTS, last=last))


def _balances(connection: Connection, through: int) -> Iterator[tuple[Account, int]]:
    rows = _streamed(connection, BALANCES, through=through)
    return ((Account._make(row[:-1]), int(row[-1])) for row in rows)


def _transactions(connection: Connection, extract: Extract) -> Iterator[Transaction]:
    rows = _streamed(connection, ENTRIES, first=extract.first, last=extract.last)
    for _, of_one in groupby(rows, key=itemgetter(0)):
        entries = list(of_one)
        legs = sorted((_leg(entry) for entry in entries), key=lambda leg: leg.account[1:])
        yield Transaction._make((*entries[0][:OF_TXN], tuple(legs)))


def _leg(entry: Row[Any]) -> Leg:
    *account, amount, seq, after = entry[OF_TXN:]
    return Leg(Account._make(account), int(amount), seq, None if after is None else int(after))


def _streamed(connection: Connection, sql: TextClause, **values: int) -> Iterator[Row[Any]]:
    """The rows through a cursor of the database, `AT_A_TIME`."""
    options = {"yield_per": AT_A_TIME}
    return iter(connection.execute(sql, values, execution_options=options))
