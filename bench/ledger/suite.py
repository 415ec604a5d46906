"""The whole run: databases are made, each section takes its rounds, and the goals are held against the figures."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia.config import sqlalchemy_url
from advancia.ledger import check
from bench import machine
from bench.ledger import books
from bench.ledger.contenders import by_batch, by_python, by_sql
from bench.ledger.contenders.with_sealer import WithSealer
from bench.ledger.goals import Goals
from bench.ledger.proof import Proof, Sealing
from bench.ledger.reads import Books
from bench.ledger.scale import Scale, label
from bench.report import Report, Section
from bench.runner import Contender, Series, counted, run_rounds
from bench.server import Server

Say = Callable[[str], None]

SIZES = """
    select pg_total_relation_size('ledger.txn'), pg_total_relation_size('ledger.entry'),
           (select count(*) from ledger.txn), (select count(*) from ledger.entry)
"""


class Suite:
    """One run of the ledger's benchmark on one server."""

    def __init__(self, server: Server, scale: Scale, *, peers: Path, say: Say) -> None:
        self.server = server
        self.scale = scale
        self.say = say
        self.peers = by_python.Peers(peers)
        self.chance = random.Random()  # noqa: S311 - the order of turns is no secret

    def run(self) -> Report:
        scale = self.scale
        facts = machine.facts() | {
            "PostgreSQL": self.server.describe(),
            "rounds": f"{scale.rounds} of {scale.seconds:g} s turns; {scale.proof_rounds} for the proof",
        }
        report = Report(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", facts)
        for section in (self._writes, self._reads, self._proof):
            report.sections += section()
        report.goals = Goals(report.all_series(), scale).all()
        return report

    def _writes(self) -> list[Section]:
        scale, server = self.scale, self.server
        self.say("making the tables to write to")
        database = books.new_books(server, "bench_books", customers=scale.customers)
        single, python = self._single(database), self._python(database)
        bulk = by_batch.batches(
            server,
            database,
            customers=scale.customers,
            sizes=list(scale.batch_sizes),
            clients=list(scale.batch_clients),
            against=f"pgbench TPC-B, {counted(scale.many_clients)}",
        )
        server.settle()
        found = self._rounds("writing", [*single, *python, *bulk], scale.rounds, scale.seconds)
        proven = self._proven(database)
        return [
            Section("One posting a call, in SQL", _of(single, found), [proven]),
            Section("One posting a call, from Python", _of(python, found)),
            Section("Many postings a call, from Python", _of(bulk, found)),
        ]

    def _single(self, database: str) -> list[Contender]:
        scale, server = self.scale, self.server
        tpcb = by_sql.tpcb_database(server, scale=scale.tpcb_scale)
        plain = by_sql.plain_database(server, customers=scale.customers)
        keyed = by_sql.plain_database(server, customers=scale.customers, with_keys=True)
        found: list[Contender] = []
        for clients in scale.clients:
            found.append(by_sql.tpcb(server, tpcb, clients, warm_up=scale.warm_up))
            found += by_sql.plain(server, plain, clients, customers=scale.customers, warm_up=scale.warm_up)
            ours = by_sql.ours(
                server,
                database,
                clients,
                customers=scale.customers,
                warm_up=scale.warm_up,
                with_fee=clients == scale.many_clients,
            )
            found += ours
            if clients == scale.many_clients:
                found.append(WithSealer(ours[0]))
                found.append(
                    by_sql.plain_with_keys(
                        server, keyed, clients, customers=scale.customers, warm_up=scale.warm_up
                    )
                )
        return found

    def _python(self, database: str) -> list[Contender]:
        scale, server = self.scale, self.server
        found: list[Contender] = []
        for clients in scale.clients:
            found += by_python.ours(
                server,
                database,
                clients,
                customers=scale.customers,
                in_autocommit=clients == scale.many_clients,
            )
        if scale.peers:
            self.say("installing the peers")
            found += self.peers.hordak(server, sorted({1, scale.many_clients}))
            found += self.peers.python_accounting(server, [1])
        return found

    def _reads(self) -> list[Section]:
        scale = self.scale
        self.databases = {each: self._loaded(each) for each in scale.entries}
        with ExitStack() as stack:
            contenders: list[Contender] = []
            for entries, database in self.databases.items():
                reader = Books(self.server, database, label(entries))
                stack.callback(reader.close)
                contenders += reader.contenders(smallest=scale.labels[0])
            found = self._rounds("reading", contenders, scale.rounds, scale.read_seconds)
        return [Section("Reading, by the number of entries in the ledger", found)]

    def _loaded(self, entries: int) -> str:
        self.say(f"making a history of {label(entries)} entries")
        database = books.loaded_books(self.server, f"bench_{entries}", entries=entries)
        self.server.settle()
        return database

    def _proof(self) -> list[Section]:
        scale, server = self.scale, self.server
        with ExitStack() as stack:
            contenders: list[Contender] = []
            for entries, database in list(self.databases.items())[-2:]:
                exactly = books.entries_in(server, database)
                proof = Proof(server, database, label(entries), entries=exactly, news=scale.news)
                stack.callback(proof.close)
                contenders += proof.contenders(smallest=scale.labels[-2])
            sealing = Sealing(server, database, label(entries), block=scale.seal_block)
            stack.callback(sealing.close)
            contenders.append(sealing.contender())
            found = self._rounds("proving", contenders, scale.proof_rounds, 0)
        return [Section("Proof and seals", found, [self._sizes(database)])]

    def _rounds(
        self, what: str, contenders: Sequence[Contender], rounds: int, seconds: float
    ) -> dict[str, Series]:
        try:
            return run_rounds(
                contenders,
                rounds=rounds,
                seconds=seconds,
                chance=self.chance,
                say=lambda done: self.say(f"{what}: {done}"),
            )
        finally:
            for each in contenders:
                each.close()

    def _proven(self, database: str) -> str:
        """What all this posting has left must be proven, or the figures are worth nothing."""
        engine = create_engine(sqlalchemy_url(self.server.url(database)))
        with Session(engine) as session:
            report = check.run(session)
        engine.dispose()
        if not report.is_right:
            raise RuntimeError(f"The books are wrong after this run: {report.differences[0]}")
        return f"The books were proven afterwards: {report.transactions:,} transactions, {report.entries:,} entries."

    def _sizes(self, database: str) -> str:
        with psycopg.connect(self.server.url(database)) as connection:
            txn, entry, txns, entries = connection.execute(SIZES).fetchone() or (0, 0, 1, 1)
        return (
            f"On disk, with all indexes: {(txn + entry) / txns:,.0f} bytes a transaction"
            f" ({txn / txns:,.0f} for itself, {entry / entries:,.0f} for each of its {entries / txns:.2f} entries)."
        )


def _of(contenders: Sequence[Contender], found: dict[str, Series]) -> dict[str, Series]:
    return {each.name: found[each.name] for each in contenders}
