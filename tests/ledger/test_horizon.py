"""Up to the horizon nothing is missing and nothing will be added, whatever is under way."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import create_engine, text

from advancia import ledger
from advancia.config import load_settings, sqlalchemy_url
from advancia.core.money import Money
from advancia.ledger import Posting, available, clearing, horizon, house
from advancia.ledger.horizon import HeldBack
from advancia.ops.dev.postgres import PostgresCluster
from tests.conftest import migrate
from tests.ledger.conftest import RIVALS, race

SHORT = timedelta(milliseconds=300)


@pytest.fixture(scope="module")
def settings(servers, tmp_path_factory):
    """A server of its own: the horizon waits for whoever writes on the whole server, also for other tests."""
    folder = tmp_path_factory.mktemp("horizon")
    cluster = PostgresCluster(folder / "postgres", durable=False)
    cluster.start()
    try:
        cluster.create_database("horizon", owner="advancia_owner")
        environ = {
            **servers.environ("horizon", var=folder),
            "DATABASE_URL": cluster.url("advancia_app", "horizon"),
            "DATABASE_OWNER_URL": cluster.url("advancia_owner", "horizon"),
        }
        migrate(environ)
        yield load_settings(environ)
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def engine(settings):
    engine = create_engine(sqlalchemy_url(settings.database_url), pool_size=RIVALS, max_overflow=0)
    yield engine
    engine.dispose()


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def post(session, user_id: int) -> int:
    """Post without a commit."""
    postings = [Posting(clearing("sandbox"), available(user_id), usd("1.00"))]
    return ledger.post(session, reference=f"test:{uuid4()}", kind="test", postings=postings).txn_id


def settled(bank, **words) -> horizon.Horizon:
    with bank.session() as session:
        return horizon.settled(session, **words)


def test_what_is_committed_is_within_the_horizon(bank, new_user_id):
    posted = bank.pay_in(new_user_id(), usd("1.00"))
    assert settled(bank).upto_txn >= posted.txn_id


def test_a_posting_under_way_is_waited_for_and_then_seen(bank, new_user_id):
    user = new_user_id()
    with bank.session() as poster:
        txn_id = post(poster, user)
        with pytest.raises(HeldBack, match="still running"):
            settled(bank, patience=SHORT)
        later = threading.Timer(0.3, poster.commit)
        later.start()
        with bank.session() as reader:
            upto = horizon.settled(reader).upto_txn
            later.join()
            assert upto >= txn_id
            assert reader.scalar(text("select count(*) from ledger.txn where id = :id"), {"id": txn_id}) == 1


def test_the_newest_transaction_of_the_server_is_waited_for_too(bank, app_connection, new_user_id):
    """The snapshot's own upper end would not do: it may be the very id of the posting that still runs."""
    with bank.session() as poster:
        post(poster, new_user_id())
        own, upper = poster.execute(
            text(
                "select pg_current_xact_id()::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
            )
        ).one()
        assert upper <= own
        with pytest.raises(HeldBack):
            settled(bank, patience=SHORT)


def in_house(session, _user_id: int) -> None:
    postings = [Posting(house("treasury"), house("fees"), usd("1.00"))]
    ledger.post(session, reference=f"test:{uuid4()}", kind="test", postings=postings)


def in_a_batch(session, user_id: int) -> None:
    items = [
        ledger.BatchItem(
            reference=f"test:{uuid4()}",
            kind="test",
            postings=[Posting(house("treasury"), account, usd("1.00"))],
        )
        for account in (house("fees"), available(user_id))
    ]
    ledger.post_many(session, items, atomic=True)


@pytest.mark.parametrize("way", [post, in_house, in_a_batch])
def test_every_way_of_posting_is_waited_for(bank, new_user_id, way):
    """Whatever is posted, and by which function, the horizon does not pass it while it is under way."""
    with bank.session() as poster:
        way(poster, new_user_id())
        with pytest.raises(HeldBack):
            settled(bank, patience=SHORT)
    settled(bank)


def test_a_posting_that_is_undone_holds_nothing_back_afterwards(bank, new_user_id):
    with bank.session() as poster:
        txn_id = post(poster, new_user_id())
    assert settled(bank).upto_txn >= txn_id


def test_who_only_reads_holds_nothing_back(bank, app_connection):
    app_connection.execute("select count(*) from ledger.txn")
    # The reader stays for as long as this waits; others of the cluster, which do write, are given time to end.
    settled(bank)


def test_a_transaction_of_another_database_holds_it_back_for_as_long_as_it_is_patient(bank, settings):
    url = (settings.database_owner_url or "").replace(
        psycopg.conninfo.conninfo_to_dict(settings.database_owner_url or "")["dbname"], "postgres", 1
    )
    with psycopg.connect(url) as stranger:
        stranger.execute("create temp table mine (id int)")
        with pytest.raises(HeldBack, match='"behind"'):
            settled(bank, patience=SHORT)
        stranger.rollback()
    settled(bank)


def test_it_wants_a_transaction_of_its_own(app_connection):
    app_connection.execute("select pg_current_xact_id()")
    with pytest.raises(psycopg.Error, match="transaction of its own"):
        app_connection.execute("select ledger.horizon()")
    app_connection.rollback()
    app_connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(psycopg.Error, match="read committed"):
        app_connection.execute("select ledger.horizon()")


def test_under_load_nothing_appears_within_a_horizon_that_was_told(bank, new_user_id):
    """Readers note what they see up to the horizon; at the end there is neither more nor less of it."""
    users = [new_user_id() for _ in range(5)]
    done = threading.Event()

    def work(turn: int) -> None:
        for step in range(25):
            with bank.session() as session:
                post(session, users[(turn + step) % 5])
                if (turn + step) % 3:
                    session.commit()

    notes: list[list[tuple[int, ...]]] = [[], []]

    def watch(seen: list[tuple[int, ...]]) -> None:
        with bank.session() as session:
            while not done.is_set():
                upto = horizon.settled(session).upto_txn
                seen.append((upto, *counted(session, upto)))
                session.rollback()

    def work_all() -> None:
        """Work until both readers have seen enough of it."""
        try:
            for _round in range(20):
                assert race([lambda turn=turn: work(turn) for turn in range(8)]) == [None] * 8
                if min(map(len, notes)) > 5:
                    return
        finally:
            done.set()

    assert race([lambda: watch(notes[0]), lambda: watch(notes[1]), work_all]) == [None] * 3
    for seen in notes:
        assert len(seen) > 5
        assert_unchanged(bank, seen)


def assert_unchanged(bank, seen) -> None:
    with bank.session() as session:
        for upto, *figures in seen:
            assert counted(session, upto) == tuple(figures)


def counted(session, upto: int) -> tuple[int, int]:
    return tuple(
        session.execute(
            text("select count(*), coalesce(sum(id), 0) from ledger.txn where id <= :upto"), {"upto": upto}
        ).one()
    )
