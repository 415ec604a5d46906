"""A bank whose clients and whose server are killed at random: what was acknowledged is there, once, and all adds up.

`BANK_SEED` repeats the same kills and deeds; not the same instants.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from operator import gt
from pathlib import Path
from random import Random, randrange
from threading import Event
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available, check, clearing, horizon, house, seals
from advancia.ops.dev.postgres import APP, DATABASE, OWNER, SUPERUSER, PostgresCluster, binary
from advancia.ops.dev.processes import children_of, send
from tests.conftest import SEAL_SECRET, migrate
from tests.support import tellers
from tests.support.servers import eventually
from tests.support.tellers import CLOSING, MOST, USERS, Deed, Phone

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bank")]

KEYS = (("test", bytes.fromhex(SEAL_SECRET)),)
TELLERS = ("t1", "t2", "t3")
CLERK = "clerk"
READERS = 2
THINK_SECONDS = 0.2  # at most, before each kill
OF_CUSTOMERS = text("""
    select asset, sum(balance)::text as balance, sum(seq) as seq,
           min(balance) filter (where purpose <> 'receivable') as least
    from ledger.account where holder <> 0 group by asset
""")
STORED = """
    select t.reference, t.id, t.kind, t.meta, o.reference, a.holder, a.purpose, e.asset, e.amount
    from ledger.txn t
    join ledger.entry e on e.txn_id = t.id
    join ledger.account a on a.id = e.account_id
    left join ledger.txn o on o.id = coalesce(t.resolves_id, t.reverses_id, t.refunds_id)
"""

Legs = dict[tuple[int, str, str], int]  # by holder, purpose and asset


class Stored(NamedTuple):
    """A transaction as the database has it."""

    id: int
    kind: str
    meta: dict[str, Any]
    of: str | None
    legs: Legs


class Reads(NamedTuple):
    """What a reader has seen."""

    count: int
    wrong: list[str]


class Bank:
    """A server of its own, and the clients that work with it."""

    def __init__(self, cluster: PostgresCluster, folder: Path, seed: int) -> None:
        self.cluster = cluster
        self.folder = folder
        self.seed = seed
        self.url = cluster.url(APP, DATABASE)
        self.clients: dict[str, Any] = {}
        # Clients are forked from a process that has everything imported: they are at work at once.
        self.births = multiprocessing.get_context("forkserver")
        self.births.set_forkserver_preload(["tests.support.tellers"])

    def open(self) -> None:
        with books(self.url) as session:
            gifts = [
                Posting(clearing("sandbox"), available(user), Money(20 * most, asset(code)))
                for code, most in MOST.items()
                for user in USERS
            ]
            ledger.post(session, reference="opening", kind="opening", postings=gifts)
            session.commit()
        for name in (*TELLERS, CLERK):
            self.start(name)

    def start(self, name: str) -> None:
        work: tuple[Any, ...] = (tellers.tell, self.folder, name, self.url, self.seed)
        if name == CLERK:
            work = (tellers.keep_books, self.folder, name, self.url, KEYS)
        self.clients[name] = self.births.Process(target=tellers.serve, args=work, daemon=True)
        self.clients[name].start()

    def kill_client(self, name: str) -> None:
        self.clients[name].kill()
        self.clients[name].join()
        assert self.clients[name].exitcode == -signal.SIGKILL, self.error_of(name)
        self.start(name)

    def kill_server(self) -> None:
        self.cluster.kill()
        self.cluster.start()

    def kill_backend(self, chance: Random) -> None:
        """Kill one process of the server, whichever: the server then throws all out and recovers."""
        assert self.cluster.process is not None
        send(chance.choice(children_of(self.cluster.process.pid)), signal.SIGKILL)

    def close(self) -> None:
        """Let everybody finish what they have begun, and go."""
        (self.folder / CLOSING).touch()
        for name, client in self.clients.items():
            client.join(30)
            assert client.exitcode == 0, self.error_of(name)

    def clean_up(self) -> None:
        for client in self.clients.values():
            client.kill()
            client.join()
        self.cluster.stop()

    def error_of(self, name: str) -> str:
        error = self.folder / f"{name}.error"
        return error.read_text() if error.exists() else f"{name} is still at work, or has gone too early."

    def said(self) -> list[int]:
        """How much each teller has written down so far."""
        journals = (self.folder / f"{name}.journal" for name in TELLERS)
        return [journal.stat().st_size if journal.exists() else 0 for journal in journals]


@contextmanager
def books(url: str) -> Iterator[Session]:
    phone = Phone(url)
    try:
        with Session(phone.engine) as session:
            yield session
    finally:
        phone.engine.dispose()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that users other than ours can pass through, since the server may run as another one."""
    folder = Path(tempfile.mkdtemp(prefix="advancia-bank-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("BANK_SEED", randrange(2**32)))


@pytest.fixture
def bank(place: Path, environ: dict[str, str], seed: int) -> Iterator[Bank]:
    cluster = PostgresCluster(place / "first")
    bank = Bank(cluster, place, seed)
    try:
        cluster.start()
        urls = {"DATABASE_URL": bank.url, "DATABASE_OWNER_URL": cluster.url(OWNER, DATABASE)}
        migrate({**environ, **urls, "ADVANCIA_VAR": str(place)})
        yield bank
    finally:
        bank.clean_up()


@pytest.mark.parametrize(
    ("of_clients", "of_server", "of_backends"),
    [(4, 1, 1), (168, 32, 12)],
    ids=["six-kills", "two-hundred-kills"],
)
def test_whatever_is_killed_no_money_is_lost_or_doubled(
    bank, place, seed, of_clients, of_server, of_backends
):
    log.warning("BANK_SEED=%d", seed)  # told when the test fails
    kills = ["client"] * of_clients + ["server"] * of_server + ["backend"] * of_backends
    bank.open()
    with reading(bank) as readers:
        kill_at_random(bank, kills, Random(seed))
        bank.close()
    for reads in (reader.result() for reader in readers):
        assert reads.wrong == []
        assert reads.count > len(kills)

    acknowledged, refused = told_by_tellers(bank)
    stored = stored_in(bank.cluster)
    log.warning(summary(acknowledged, refused))
    assert len(acknowledged) > len(kills)
    # So many kills have also hit the instant after a commit, before the client could write it down.
    assert len(kills) < 200 or any(deed["replayed"] for deed in acknowledged.values())
    assert set(stored) == {"opening", *acknowledged}
    assert not set(stored) & refused
    for reference, deed in acknowledged.items():
        assert_is_stored(stored, reference, deed)
    assert "was terminated by signal 9" in bank.cluster.log.read_text()  # a process of the server by itself
    with books(bank.url) as session:
        assert_books_go_on(session)
    assert_goes_on_elsewhere(bank, place, acknowledged)


def kill_at_random(bank: Bank, kills: list[str], chance: Random) -> None:
    """Kill and start again, each time when every teller has got something done since the last time."""
    chance.shuffle(kills)
    think = Event()
    for kill in kills:
        before = bank.said()
        eventually(lambda before=before: all(map(gt, bank.said(), before)), "every teller is at work")
        think.wait(chance.uniform(0, THINK_SECONDS))
        match kill:
            case "client":
                bank.kill_client(chance.choice([*TELLERS, *TELLERS, CLERK]))
            case "server":
                bank.kill_server()
            case "backend":
                bank.kill_backend(chance)


@contextmanager
def reading(bank: Bank) -> Iterator[list[Future[Reads]]]:
    """Readers who look at the books all the while."""
    done = Event()
    with ThreadPoolExecutor(READERS) as pool:
        try:
            yield [pool.submit(read, bank.url, done) for _ in range(READERS)]
        finally:
            done.set()


def read(url: str, done: Event) -> Reads:
    """Add up everything, house included, as of one moment; nothing that was once seen may be gone later."""
    phone, count, wrong, seen = Phone(url), 0, [], Counter[str]()
    while not done.is_set():
        totals, entries, least = phone.ask(totals_of)
        count += 1
        if any(totals.values()) or least < 0 or any(entries[code] < seen[code] for code in seen):
            wrong.append(f"read {count}: totals {totals}, least {least}, {dict(seen)} then {dict(entries)}")
        seen = entries
    phone.engine.dispose()
    return Reads(count, wrong)


def totals_of(session: Session) -> tuple[dict[str, int], Counter[str], int]:
    """For each asset the sum of all balances and the number of customers' entries; and the least balance of all."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    rows = session.execute(OF_CUSTOMERS).all()
    totals = {
        row.asset: int(row.balance)
        + sum(
            ledger.balance(session, key, asset(row.asset)).minor
            for key in (clearing("sandbox"), house("fees"))
        )
        for row in rows
    }
    return totals, Counter({row.asset: int(row.seq) for row in rows}), min(row.least for row in rows)


def told_by_tellers(bank: Bank) -> tuple[dict[str, Deed], set[str]]:
    """What was acknowledged, by reference, and what was last heard of as refused."""
    acknowledged: dict[str, Deed] = {}
    refused: set[str] = set()
    for name in TELLERS:
        for word, reference, deed in tellers.lines(bank.folder / f"{name}.journal"):
            if word == "acknowledged":
                before = acknowledged.setdefault(reference, deed)
                assert before["txn_id"] == deed["txn_id"], f"{reference} was acknowledged as two transactions"
                refused.discard(reference)
            elif word == "refused":
                assert reference not in acknowledged, f"{reference} was acknowledged, and then refused"
                refused.add(reference)
    return acknowledged, refused


def summary(acknowledged: dict[str, Deed], refused: set[str]) -> str:
    did = dict(Counter(deed["do"] for deed in acknowledged.values()))
    again = sum(deed["replayed"] for deed in acknowledged.values())
    return f"{len(acknowledged)} acknowledged ({did}), {again} of them on repeating; {len(refused)} refused"


def stored_in(cluster: PostgresCluster) -> dict[str, Stored]:
    """All transactions by reference. Fails if a reference is there twice, whatever the index says."""
    stored: dict[str, Stored] = {}
    with psycopg.connect(cluster.url(OWNER, DATABASE)) as owner:
        for reference, txn_id, kind, meta, of, holder, purpose, code, amount in owner.execute(STORED):
            txn = stored.setdefault(reference, Stored(txn_id, kind, meta or {}, of, {}))
            assert txn.id == txn_id, f"{reference} is there twice"
            txn.legs[holder, purpose, code] = int(amount)
    return stored


def assert_is_stored(stored: dict[str, Stored], reference: str, deed: Deed) -> None:
    found = stored[reference]
    meta = tellers.deed_as_meta(deed)
    assert found.id == deed["txn_id"], reference
    assert found.meta == ({"reason": meta["deed"]} if deed["do"] == "reverse" else meta), reference
    assert found.of == deed.get("of"), reference
    if deed["do"] in ("post", "hold"):
        assert found.legs == legs_of(deed), reference
    else:
        earlier = stored[deed["of"]]
        assert by_party(found.legs) == LINKED[deed["do"]](deed, earlier), (reference, deed, earlier)


def legs_of(deed: Deed) -> Legs:
    if deed["do"] == "hold":
        held, kept = ((deed["user"], purpose, deed["asset"]) for purpose in ("held", "available"))
        return {held: deed["amount"], kept: -deed["amount"]}
    legs: Counter[tuple[int, str, str]] = Counter()
    for source, destination, amount in deed["moves"]:
        legs[*source, deed["asset"]] -= amount
        legs[*destination, deed["asset"]] += amount
    return dict(legs)


def by_party(legs: Legs) -> Legs:
    """What each account of the house got, and each customer on all accounts together, debts included."""
    sums: Counter[tuple[int, str, str]] = Counter()
    for (holder, purpose, code), amount in legs.items():
        sums[holder, "customer" if holder else purpose, code] += amount
    return {party: amount for party, amount in sums.items() if amount}


def captured(deed: Deed, hold: Stored) -> Legs:
    ((user, _, code),) = (key for key in hold.legs if key[1] == "held")
    holder, purpose = deed["to"]
    legs = Counter({(user, "held", code): -deed["amount"]})
    legs[holder, purpose, code] += deed["amount"]
    return by_party(dict(legs))


def refunded(deed: Deed, earlier: Stored) -> Legs:
    (payer,) = (key for key, amount in earlier.legs.items() if amount < 0)
    (payee,) = (key for key, amount in earlier.legs.items() if amount > 0 and key[0])
    return by_party({payer: deed["amount"], payee: -deed["amount"]})


LINKED: dict[str, Callable[[Deed, Stored], Legs]] = {
    "capture": captured,
    "release": lambda _, __: {},
    "reverse": lambda _, earlier: {party: -amount for party, amount in by_party(earlier.legs).items()},
    "refund": refunded,
}


def assert_books_go_on(session: Session) -> None:
    """Everything is proven; sealing and rolling up go on, to the last transaction."""
    report = check.run(session, keys=KEYS)
    assert (report.verdict, report.differences) == ("proven", ())
    posting = Posting(available(1), house("fees"), Money(1, asset("USD")))
    top_up = Posting(clearing("sandbox"), available(1), Money(2, asset("USD")))
    name = f"afterwards:{report.seals}"
    assert not ledger.post(session, reference=name, kind="test", postings=[top_up, posting]).replayed
    session.commit()
    assert horizon.roll_up(session, least=1) >= 1
    assert len(list(seals.seal(session, KEYS))) == 1
    quick, full = check.run_quick(session, keys=KEYS), check.run(session, keys=KEYS)
    assert (quick.differences, full.differences) == ((), ())
    assert (full.seals, full.unsealed, full.transactions) == (
        report.seals + 1,
        0,
        report.transactions + 1,
    )
    assert not any(totals_of(session)[0].values())


def assert_goes_on_elsewhere(bank: Bank, place: Path, acknowledged: dict[str, Deed]) -> None:
    """A dump is restored into a new server: the same books, in which repeats are known and all goes on."""
    there = PostgresCluster(place / "second")
    file = place / "bank.dump"
    try:
        there.start()
        subprocess.run(
            [binary("pg_dump"), "-Fc", "-f", file, bank.cluster.url(SUPERUSER, DATABASE)],
            check=True,
            timeout=60,
        )
        subprocess.run(
            [
                *(binary("pg_restore"), "--clean", "--if-exists", "--exit-on-error"),
                *("-d", there.url(SUPERUSER, DATABASE), file),
            ],
            check=True,
            timeout=60,
        )
        assert stored_in(there) == stored_in(bank.cluster)
        phone = Phone(there.url(APP, DATABASE))
        for reference, deed in list(acknowledged.items())[-50:]:
            content = json.loads(tellers.deed_as_meta(deed)["deed"])
            ((word, _, again),) = tellers.done(phone, reference, content)
            assert (word, again["txn_id"], again["replayed"]) == ("acknowledged", deed["txn_id"], True)
        phone.engine.dispose()
        with books(there.url(APP, DATABASE)) as session:
            assert_books_go_on(session)
    finally:
        there.stop()
