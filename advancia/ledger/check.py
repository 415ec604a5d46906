"""The proof of the books: everything that is kept ready is computed again from the entries.

`run` does it from nothing; `run_quick` goes on from where the last quick check had proven everything.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import TextClause

from advancia.ledger import check_sql as sql
from advancia.ledger import horizon, sealed
from advancia.ledger.report import NAMED_AT_MOST, Difference, LedgerReport, Verdict

__all__ = ["Difference", "LedgerReport", "Verdict", "run", "run_quick"]

LANES = 2  # connections that read side by side, at the same moment
WORK_MEM = "64MB"  # for each of them, so that nothing is sorted on the disk
IDS_AT_ONCE = 100_000  # transactions that are looked at together
LOWEST, HIGHEST = -(2**63), 2**63 - 1

COUNTS = text("""
    select (select count(*) from ledger.entry) as entries, (select count(*) from ledger.account) as accounts,
           t.transactions, t.last, t.transactions = 0 and not exists (select from ledger.entry) as is_empty
    from (select count(*) as transactions, coalesce(max(id), 0) as last from ledger.txn) t
""")
NEW_COUNTS = text("""
    select (select count(*) from ledger.entry where txn_id > :after and txn_id <= :upto) as entries,
           (select count(*) from ledger.txn where id > :after and id <= :upto) as transactions,
           (select count(*) from ledger.account) as accounts,
           not exists (select from ledger.txn) and not exists (select from ledger.entry) as is_empty
""")
UNSEALED = text("""
    select greatest((select coalesce(max(id), 0) from ledger.txn)
                    - (select coalesce(max(upto_txn), 0) from ledger.seal), 0) as transactions
""")
LAST_PROOF = text(
    "select coalesce(max(upto_txn), 0) as upto_txn, coalesce(max(upto_seal), 0) as upto_seal from ledger.proof"
)
NOTE_PROOF = text(
    "select ledger.note_proof(:upto_txn, :upto_seal, cast(:accounts as bigint[]), cast(:txns as bigint[]))"
)

Task = Callable[[Connection], list[Difference]]
Progress = Callable[[str, int, int], None]  # the part, how much of it is done, and of how much


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a check: tasks that may run side by side."""

    name: str
    tasks: Sequence[Task]


def run(
    session: Session,
    *,
    keys: Iterable[tuple[str, bytes]] | None = None,
    heads: Mapping[int, str] | None = None,
    progress: Progress | None = None,
    snapshot: str | None = None,
) -> LedgerReport:
    """Read all that is committed, as it is at one moment, and say what disagrees. Holds nobody up.

    With `keys` the seals are verified as well; `heads` are seals that were noted elsewhere, by their id. It
    reads on connections of its own, since the moment is chosen when a transaction begins; whatever `session`
    has open is neither seen nor disturbed. With `snapshot`, exported by a transaction that is still open, the
    moment is that one's.
    """
    with _reading(session, progress, snapshot) as reader:
        counts = reader.one(COUNTS)
        found = reader.look(_books(counts.last))
        links: list[sealed.Link] = []
        head = None
        if keys is not None:
            links, head, wrong = sealed.chain(reader.session, dict(keys), heads=heads)
            found += wrong + reader.look([Part("seals", [sealed.strays, *(_block(link) for link in links)])])
        return _report(reader, counts, found, seals=len(links), head=head, is_full=True)


def run_quick(
    session: Session,
    *,
    keys: Iterable[tuple[str, bytes]] | None = None,
    progress: Progress | None = None,
) -> LedgerReport:
    """Prove what came since the last quick check that found nothing wrong, and note how far that is.

    It sees each account's figures against its checkpoint, new entries, new transactions up to the horizon, and
    with `keys` the chain of new seals. What was changed in rows that it has seen before, `run` finds. Raises
    `horizon.HeldBack`.
    """
    settled = horizon.settled(session)
    with _reading(session, progress) as reader:
        proof = reader.one(LAST_PROOF)
        after, proven_seal = proof.upto_txn, proof.upto_seal
        counts = reader.one(NEW_COUNTS, after=after, upto=settled.upto_txn)
        moved = reader.all(text(sql.MOVED))
        found = _unproven(moved) + _beyond(after, settled.upto_txn)
        found += reader.look(_news(after, settled.upto_txn))
        links: list[sealed.Link] = []
        head = None
        if keys is not None:
            links, head, wrong = sealed.chain(reader.session, dict(keys), after=proven_seal)
            found += wrong
        report = _report(reader, counts, found, seals=len(links), head=head, is_full=False)
    if report.is_right:
        upto_seal = links[-1].id if links else proven_seal
        _note(session, settled.upto_txn, upto_seal, [row for row in moved if row.last is not None])
    return report


class _Reader:
    """Several connections that see the same moment."""

    def __init__(self, session: Session, snapshot: str, progress: Progress | None) -> None:
        self.session = session
        self.snapshot = snapshot
        self.progress = progress or (lambda _part, _done, _of: None)
        self.seconds: dict[str, float] = {}

    def one(self, statement: TextClause, **values: Any) -> Row[Any]:
        return self.session.execute(statement, values).one()

    def all(self, statement: TextClause) -> Sequence[Row[Any]]:
        began = time.monotonic()
        rows = self.session.execute(statement).all()
        self.seconds["accounts"] = time.monotonic() - began
        return rows

    def look(self, parts: Iterable[Part]) -> list[Difference]:
        """Do all parts one after the other, and the tasks of each side by side."""
        found: list[Difference] = []
        with ThreadPoolExecutor(LANES) as lanes:
            for part in parts:
                began = time.monotonic()
                for done, wrong in enumerate(lanes.map(self._do, part.tasks), start=1):
                    found += wrong
                    self.progress(part.name, done, len(part.tasks))
                self.seconds[part.name] = time.monotonic() - began
        return found

    def _do(self, task: Task) -> list[Difference]:
        with Session(self.session.get_bind()) as own:
            connection = own.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            connection.exec_driver_sql(f"set transaction snapshot '{self.snapshot}'")
            connection.exec_driver_sql("set transaction read only")
            connection.exec_driver_sql(f"set local work_mem = '{WORK_MEM}'")
            return task(connection)


@contextmanager
def _reading(session: Session, progress: Progress | None, snapshot: str | None = None) -> Iterator[_Reader]:
    """A reader of all that is committed now, or was when `snapshot` was taken."""
    with Session(session.get_bind()) as own:
        connection = own.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        if snapshot is not None:
            connection.exec_driver_sql(f"set transaction snapshot '{snapshot}'")
        own.execute(text("set transaction read only"))
        taken = snapshot or own.scalars(text("select pg_export_snapshot()")).one()
        yield _Reader(own, taken, progress)


def _report(
    reader: _Reader, counts: Row[Any], found: list[Difference], *, seals: int, head: str | None, is_full: bool
) -> LedgerReport:
    return LedgerReport(
        is_full=is_full,
        is_empty=counts.is_empty,
        entries=counts.entries,
        accounts=counts.accounts,
        transactions=counts.transactions,
        seals=seals,
        unsealed=reader.one(UNSEALED).transactions,
        head=head,
        differences=tuple(found),
        seconds=reader.seconds,
    )


# From nothing


def _books(last: int) -> list[Part]:
    """Everything that the books say of themselves; `last` is the id of the newest transaction."""
    return [
        Part("accounts", [_accounts]),
        Part("transactions", _transactions(LOWEST, last, HIGHEST)),
        Part(
            "what is derived",
            [
                _rows(sql.ACCOUNT),
                _rows(sql.HOLDS, after=0),
                _rows(sql.REFUNDS, after=0),
                _rows(sql.ROLLUPS, after=0),
                _rows(sql.ROLLED_UP_ACCOUNTS),
                _rows(sql.FILING),
                _rows(sql.CHECKPOINTS),
                _rows(sql.CHECKPOINTS_WITHOUT_ACCOUNT),
                _rows(sql.SEALS_BEYOND),
            ],
        ),
    ]


def _accounts(connection: Connection) -> list[Difference]:
    seed = secrets.randbits(63)
    rows = connection.execute(text(sql.ACCOUNTS), {"seed": seed}).fetchmany(NAMED_AT_MOST)
    found = [Difference(check, told) for row in rows for check, told in _told_of_account(row)]
    at_fault = [row.account_id for row in rows if row.account_id is not None]
    return found + _rows(sql.CHAIN, accounts=at_fault)(connection) if rows else []


def _told_of_account(row: Row[Any]) -> Iterator[tuple[str, str]]:
    name = f"account {row.id} ({row.holder}/{row.asset}/{row.purpose})"
    if row.id is None:
        return
    if row.account_id is None:
        yield "without entries", f"{name} has no entries"
    expected = (row.total, row.entries) if row.holder else (0, 0)
    if (row.balance, row.seq) != expected:
        figures = f"has balance {row.balance} and seq {row.seq}"
        yield "balance", f"{name} {figures}; its {row.entries} entries sum to {row.total}"


def _transactions(after: int, last: int, upto: int) -> list[Task]:
    """Tasks for all transactions with ids above `after` and up to `upto`, of which `last` is the newest."""
    bounds = [after, *range(max(after, 0) + IDS_AT_ONCE, last, IDS_AT_ONCE), upto]
    return [_of_transactions(low, high) for low, high in pairwise(bounds)]


def _of_transactions(after: int, upto: int) -> Task:
    def task(connection: Connection) -> list[Difference]:
        suspects = connection.scalars(text(sql.SUSPECTS), {"after": after, "upto": upto}).all()
        if not suspects:
            return []
        rows = connection.execute(text(sql.TRANSACTIONS), {"ids": sorted(suspects)[:NAMED_AT_MOST]})
        return [Difference(check, told) for row in rows for check, told in _told_of_transaction(row)]

    return task


def _told_of_transaction(row: Row[Any]) -> Iterator[tuple[str, str]]:
    name = f"transaction {row.id}"
    if row.is_missing:
        yield "orphan", f"there are entries in {name}, which does not exist"
    if row.is_bare:
        yield "without entries", f"{name} ({row.reference}) has no entries"
    if row.id < 1:
        yield "orphan", f"{name} has a number that is never handed out"
    if row.sums_to:
        yield "sum", f"{name} sums to {row.sums_to}"
    for account in row.accounts_missing or ():
        yield "orphan", f"the entry of account {account} in {name} has no account"
    for account in row.in_other_asset or ():
        yield "asset", f"the entry of account {account} in {name} is in another asset than its account"
    for account in row.running or ():
        yield "house", f"the entry of account {account} of the house in {name} has a seq or a balance_after"
    if row.is_other:
        what = "reference, kind, meta, effective_at, links, fingerprint, legs or accounts"
        yield "fingerprint", f"{name} ({row.reference}) is not what was posted: its {what} were changed"


def _block(link: sealed.Link) -> Task:
    return lambda connection: sealed.block(connection, link)


def _rows(statement: str, **values: Any) -> Task:
    """A task whose statement gives a check and a sentence for each row at fault."""

    def task(connection: Connection) -> list[Difference]:
        rows = connection.execute(text(statement), {"most": NAMED_AT_MOST, **values})
        return [Difference(check, told) for check, told in rows]

    return task


# From the last proof


def _news(after: int, upto: int) -> list[Part]:
    return [
        Part("transactions", _transactions(after, upto, upto) if upto > after else []),
        Part(
            "what is derived",
            [
                _rows(sql.ACCOUNT),
                _rows(sql.HOLDS, after=after),
                _rows(sql.REFUNDS, after=after),
                _rows(sql.ROLLUPS, after=after),
                _rows(sql.CHECKPOINTS_WITHOUT_ACCOUNT),
                _rows(sql.SEALS_BEYOND),
            ],
        ),
    ]


def _unproven(moved: Iterable[Row[Any]]) -> list[Difference]:
    return [
        Difference(
            "balance" if row.chained else "chain",
            f"account {row.id} ({row.holder}/{row.asset}/{row.purpose}) has balance {row.balance} and seq {row.seq};"
            f" by its checkpoint and its {row.entries} new entries, "
            + (
                f"they would be {row.balance_found} and {row.seq_found}"
                if row.chained
                else "which are no chain"
            ),
        )
        for row in moved
        if not row.is_right
    ][:NAMED_AT_MOST]


def _beyond(after: int, upto: int) -> list[Difference]:
    if after <= upto:
        return []
    told = f"the last proof reaches up to transaction {after}, but only {upto} have been begun"
    return [Difference("proof", told)]


def _note(session: Session, upto_txn: int, upto_seal: int, moved: Sequence[Row[Any]]) -> None:
    with Session(session.get_bind()) as own:
        own.execute(
            NOTE_PROOF,
            {
                "upto_txn": upto_txn,
                "upto_seal": upto_seal,
                "accounts": [row.id for row in moved],
                "txns": [row.last for row in moved],
            },
        )
        own.commit()
