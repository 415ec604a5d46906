"""The proof of the books: everything that is kept ready is computed again from the entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

Verdict = Literal["proven", "empty", "wrong"]

NAMED_AT_MOST = 100  # rows at fault that each check names


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that does not agree with the others: which `check` found it, and what it `told`."""

    check: str
    told: str

    def __str__(self) -> str:
        return f"{self.check}: {self.told}"


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What was read and what was found. An empty ledger is right, but proves nothing."""

    entries: int
    accounts: int
    transactions: int
    differences: tuple[Difference, ...]

    @property
    def is_right(self) -> bool:
        return not self.differences

    @property
    def verdict(self) -> Verdict:
        if self.differences:
            return "wrong"
        return "proven" if self.entries else "empty"


READ = """
    select (select count(*) from ledger.entry) as entries,
           (select count(*) from ledger.account) as accounts,
           (select count(*) from ledger.txn) as transactions
"""

# Each gives one sentence for each row at fault.
CHECKS = {
    "balance": """
        select format('account %s (%s/%s/%s) has balance %s and seq %s; its %s entries sum to %s',
                      a.id, a.holder, a.asset, a.purpose, a.balance, a.seq,
                      coalesce(e.entries, 0), coalesce(e.total, 0))
        from ledger.account a
        left join (
            select account_id, count(*) as entries, sum(amount) as total from ledger.entry group by account_id
        ) e on e.account_id = a.id
        where a.holder <> 0 and (a.balance <> coalesce(e.total, 0) or a.seq <> coalesce(e.entries, 0))
           or a.holder = 0 and (a.balance <> 0 or a.seq <> 0)
    """,
    "chain": """
        select format('the entry of account %s in transaction %s has seq %s and balance_after %s; '
                      'with the entry before it, they would be %s and %s',
                      account_id, txn_id, coalesce(seq::text, 'null'), coalesce(balance_after::text, 'null'),
                      seq_before + 1, balance_before + amount)
        from (
            select e.account_id, e.txn_id, e.seq, e.amount, e.balance_after,
                   lag(e.seq, 1, 0::bigint) over rising as seq_before,
                   lag(e.balance_after, 1, 0::numeric) over rising as balance_before
            from ledger.entry e join ledger.account a on a.id = e.account_id
            where a.holder <> 0
            window rising as (partition by e.account_id order by e.txn_id)
        ) e
        where seq is distinct from seq_before + 1 or balance_after is distinct from balance_before + amount
    """,
    "house": """
        select format('the entry of account %s of the house in transaction %s has a seq or a balance_after',
                      e.account_id, e.txn_id)
        from ledger.entry e join ledger.account a on a.id = e.account_id
        where a.holder = 0 and num_nonnulls(e.seq, e.balance_after) > 0
    """,
    "account": """
        select format('account %s (%s/%s/%s) has floor %s and balance %s: the floor is not '
                      'that of its purpose, or the balance is below it',
                      a.id, a.holder, a.asset, a.purpose, coalesce(a.floor::text, 'null'), a.balance)
        from ledger.account a left join ledger.purpose p on p.name = a.purpose and p.of_house = (a.holder = 0)
        where p.name is null or a.floor is distinct from p.floor or a.balance < a.floor
    """,
    "sum": """
        select format('transaction %s sums to %s %s', txn_id, sum(amount), asset)
        from ledger.entry group by txn_id, asset having sum(amount) <> 0
    """,
    "total": """
        select format('all entries together sum to %s %s', sum(amount), asset)
        from ledger.entry group by asset having sum(amount) <> 0
    """,
    "asset": """
        select format('the entry of account %s in transaction %s is in %s, its account in %s',
                      e.account_id, e.txn_id, e.asset, a.asset)
        from ledger.entry e join ledger.account a on a.id = e.account_id
        where e.asset <> a.asset
    """,
    "orphan": """
        select format('the entry of account %s in transaction %s has no %s', e.account_id, e.txn_id,
                      concat_ws(' and no ', case when a.id is null then 'account' end,
                                            case when t.id is null then 'transaction' end))
        from ledger.entry e
        left join ledger.account a on a.id = e.account_id
        left join ledger.txn t on t.id = e.txn_id
        where a.id is null or t.id is null
    """,
    "without entries": """
        select format('transaction %s (%s) has no entries', t.id, t.reference)
        from ledger.txn t
        where not exists (select from ledger.entry e where e.txn_id = t.id)
    """,
    "fingerprint": """
        select format('transaction %s (%s) is not what was posted: its reference, kind, meta, effective_at, '
                      'links, fingerprint, legs or accounts were changed', t.id, t.reference)
        from ledger.txn t
        join (
            select e.txn_id,
                   array_agg(a.holder order by a.holder, a.asset, a.purpose) as holders,
                   array_agg(a.asset order by a.holder, a.asset, a.purpose) as assets,
                   array_agg(a.purpose order by a.holder, a.asset, a.purpose) as purposes,
                   array_agg(e.amount order by a.holder, a.asset, a.purpose) as amounts
            from ledger.entry e join ledger.account a on a.id = e.account_id
            group by e.txn_id
        ) e on e.txn_id = t.id
        where t.fingerprint <> ledger.linked_fingerprint(
            ledger.fingerprint(
                t.reference, t.kind, e.holders, e.assets, e.purposes, e.amounts, t.meta, t.effective_at),
            t.is_hold, t.resolves_id, t.reverses_id, t.refunds_id)
    """,
}


def run(session: Session) -> LedgerReport:
    """Read all that is committed, as it is at one moment, and say what disagrees. Holds nobody up.

    It reads on a connection of its own, since the moment is chosen when a transaction begins; whatever
    `session` has open is neither seen nor disturbed.
    """
    with Session(session.get_bind()) as own:
        connection = own.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        connection.execute(text("set transaction read only"))
        read = connection.execute(text(READ)).one()
        differences = tuple(
            Difference(check, told)
            for check, sql in CHECKS.items()
            for told in connection.scalars(text(f"{sql} limit {NAMED_AT_MOST}"))
        )
    return LedgerReport(read.entries, read.accounts, read.transactions, differences)
