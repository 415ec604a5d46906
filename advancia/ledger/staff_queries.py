"""Reading all of the ledger, for staff. Each statement is driven by an index, or bounded by a window of ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from advancia.core import money
from advancia.core.money import Money
from advancia.ledger.accounts import HOUSE, AccountKey
from advancia.ledger.links import Links, links_of

# How far back one page looks for the few transactions that a filter without an index wants.
WINDOW = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transactions a list shows; `None` means all. `since` is included, `until` is not."""

    kind: str | None = None
    asset: str | None = None
    holder: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """One line of the list: what moved in all, from which accounts to which (the first few of each)."""

    id: int
    reference: str
    kind: str
    created_at: datetime
    is_hold: bool
    moved: tuple[Money, ...]
    sources: tuple[AccountKey, ...]
    destinations: tuple[AccountKey, ...]
    links: Links


@dataclass(frozen=True, slots=True)
class Found:
    """Part of the list, newest first. `older` is where to go on; `window_ended` when the filter may still find more."""

    rows: Sequence[TransactionRow]
    older: int | None
    window_ended: bool


@dataclass(frozen=True, slots=True)
class Sealed:
    """The seal that covers a transaction."""

    id: int
    sealed_at: datetime
    head: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What of a transaction's row is for staff alone."""

    id: int
    reference: str
    is_hold: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class MirroredLeg:
    """What a reversal would do to one account. The house's have no running balance, and no limit."""

    account: AccountKey
    change: Money
    balance: Money | None
    short: Money

    @property
    def after(self) -> Money | None:
        """What would be on the account, of whose lack a debt takes the place."""
        return None if self.balance is None else self.balance + self.change + self.short


BOUNDS = text("""
    select case when cast(:since as timestamptz) is null then 1
                else ledger.txn_id_at(cast(:since as timestamptz) - interval '1 hour') end as lowest,
           case when cast(:until as timestamptz) is null then (select coalesce(max(id), 0) + 1 from ledger.txn)
                else ledger.txn_id_at(cast(:until as timestamptz) + interval '1 hour') end as above
""")

ALL = """
    select t.id from ledger.txn t
    where t.id >= :bottom and t.id < :above {conditions}
    order by t.id desc
    limit :limit
"""
# Each of the customer's accounts is read backwards, at most a page of it, and the pages are merged.
OF_HOLDER = """
    select distinct e.id
    from ledger.account a
    cross join lateral (
        select t.id
        from ledger.entry e join ledger.txn t on t.id = e.txn_id
        where e.account_id = a.id and e.txn_id >= :bottom and e.txn_id < :above {conditions}
        order by e.txn_id desc
        limit :limit
    ) e
    where a.holder = :holder {of_account}
    order by e.id desc
    limit :limit
"""
CONDITIONS = {
    "kind": "and t.kind = :kind",
    "since": "and t.created_at >= :since",
    "until": "and t.created_at < :until",
}
# Asked of one transaction after the other, so that the page's limit ends it: as `exists` it is asked of all at once.
WITH_ASSET = "and (select true from ledger.entry x where x.txn_id = t.id and x.asset = :asset limit 1)"

TOLD = text("""
    select t.id, t.reference, t.kind, t.created_at, t.is_hold,
           array(select e.asset from ledger.entry e where e.txn_id = t.id and e.amount > 0
                 group by e.asset order by e.asset) as assets,
           array(select sum(e.amount) from ledger.entry e where e.txn_id = t.id and e.amount > 0
                 group by e.asset order by e.asset) as amounts,
           array(select distinct a.holder || ' ' || a.purpose
                 from ledger.entry e join ledger.account a on a.id = e.account_id
                 where e.txn_id = t.id and e.amount < 0 limit 3) as sources,
           array(select distinct a.holder || ' ' || a.purpose
                 from ledger.entry e join ledger.account a on a.id = e.account_id
                 where e.txn_id = t.id and e.amount > 0 limit 3) as destinations
    from ledger.txn t
    where t.id = any(:ids)
    order by t.id desc
""")

BY_REFERENCE = text("select id from ledger.txn where reference = any(:references) order by id desc")
STORED = text(
    "select id, reference, is_hold, encode(fingerprint, 'hex') as fingerprint from ledger.txn where id = :id"
)

# Seals are numbered without gaps and cover rising ids: the first one that reaches the id, by halving.
SEALED = text("""
    with recursive half (low, high) as (
        select cast(1 as bigint), max(id) from ledger.seal
        union all
        select case when s.upto_txn >= :id then h.low else s.id + 1 end,
               case when s.upto_txn >= :id then s.id else h.high end
        from half h join ledger.seal s on s.id = (h.low + h.high) / 2
        where h.low < h.high
    )
    select s.id, s.sealed_at, encode(s.head, 'hex') as head
    from half h join ledger.seal s on s.id = h.low
    where h.low = h.high and s.upto_txn >= :id
""")

# The mirror as `ledger.reverse` builds it (`ledger.legs_of`), beside what is on the accounts now.
MIRROR_OF = text("""
    select l.holder, l.asset, l.purpose, l.change, p.of_house, coalesce(b.balance, 0) as balance,
           case when p.floor is null or l.change > 0 then 0
                else greatest(-l.change - greatest(coalesce(b.balance, 0) - p.floor, 0), 0) end as short
    from (
        select a.holder, e.asset, v.purpose, -sum(e.amount) as change
        from ledger.txn t
        join ledger.entry e on e.txn_id = t.id
        join ledger.account a on a.id = e.account_id
        cross join lateral (
            select case when t.resolves_id is not null and a.purpose = 'held' then 'available' else a.purpose end
        ) v (purpose)
        where t.id = :id
        group by a.holder, e.asset, v.purpose
        having sum(e.amount) <> 0
    ) l
    join ledger.purpose p on p.name = l.purpose
    left join ledger.account b on b.holder = l.holder and b.asset = l.asset and b.purpose = l.purpose
    order by l.asset, l.holder, l.purpose
""")


def transactions(session: Session, wanted: Wanted, *, before: int | None, limit: int) -> Found:
    """A page of all transactions that are wanted, newest first, with ids below `before`.

    A kind or an asset has no index: then one page looks at no more than `WINDOW` ids, and may be short of `limit`
    (`window_ended`) though more follows behind `older`.
    """
    times = {"since": wanted.since, "until": wanted.until}
    lowest, above = session.execute(BOUNDS, times).one()
    above = min(above, before) if before is not None else above
    is_windowed = wanted.holder is None and (wanted.kind is not None or wanted.asset is not None)
    bottom = max(lowest, above - WINDOW) if is_windowed else lowest
    ids = list(
        session.scalars(
            text(_ids_sql(wanted)),
            {**_values(wanted), "bottom": bottom, "above": above, "limit": limit + 1},
        )
    )
    if len(ids) > limit:
        return Found(rows_of(session, ids[:limit]), older=ids[limit - 1], window_ended=False)
    window_ended = is_windowed and bottom > lowest
    return Found(rows_of(session, ids), older=bottom if window_ended else None, window_ended=window_ended)


def rows_of(session: Session, ids: Collection[int]) -> list[TransactionRow]:
    """The lines of those transactions, newest first."""
    if not ids:
        return []
    links = links_of(session, ids)
    return [_row(row, links[row.id]) for row in session.execute(TOLD, {"ids": list(ids)})]


def ids_by_reference(session: Session, references: Collection[str]) -> list[int]:
    """Which of these references there are, as the ids of their transactions."""
    return list(session.scalars(BY_REFERENCE, {"references": list(references)}))


def stored(session: Session, txn_id: int) -> Stored | None:
    """The row of that transaction, if there is one."""
    row = session.execute(STORED, {"id": txn_id}).one_or_none()
    return Stored(row.id, row.reference, row.is_hold, row.fingerprint) if row else None


def sealed_in(session: Session, txn_id: int) -> Sealed | None:
    """The seal that covers the transaction; `None` while it waits for one."""
    row = session.execute(SEALED, {"id": txn_id}).one_or_none()
    return Sealed(row.id, row.sealed_at, row.head) if row else None


def mirror_of(session: Session, txn_id: int) -> list[MirroredLeg]:
    """What reversing the transaction would do now to each account. Money may move before it is done."""
    return [_leg(row) for row in session.execute(MIRROR_OF, {"id": txn_id})]


def _ids_sql(wanted: Wanted) -> str:
    asked = [sql for name, sql in CONDITIONS.items() if getattr(wanted, name) is not None]
    if wanted.holder is not None:
        of_account = "and a.asset = :asset" if wanted.asset is not None else ""
        return OF_HOLDER.format(conditions=" ".join(asked), of_account=of_account)
    if wanted.asset is not None:
        asked.append(WITH_ASSET)
    return ALL.format(conditions=" ".join(asked))


def _values(wanted: Wanted) -> dict[str, Any]:
    values = {name: getattr(wanted, name) for name in Wanted.__slots__}
    return {name: value for name, value in values.items() if value is not None}


def _row(row: Row[Any], links: Links) -> TransactionRow:
    return TransactionRow(
        id=row.id,
        reference=row.reference,
        kind=row.kind,
        created_at=row.created_at,
        is_hold=row.is_hold,
        moved=tuple(
            Money(int(amount), money.asset(code))
            for code, amount in zip(row.assets, row.amounts, strict=True)
        ),
        sources=tuple(_key(written) for written in row.sources),
        destinations=tuple(_key(written) for written in row.destinations),
        links=links,
    )


def _key(written: str) -> AccountKey:
    holder, _, purpose = written.partition(" ")
    return AccountKey(int(holder), purpose)


def _leg(row: Row[Any]) -> MirroredLeg:
    asset = money.asset(row.asset)
    return MirroredLeg(
        account=AccountKey(row.holder, row.purpose),
        change=Money(int(row.change), asset),
        balance=None if row.holder == HOUSE else Money(int(row.balance), asset),
        short=Money(int(row.short), asset),
    )
