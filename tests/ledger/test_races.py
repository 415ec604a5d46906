"""Many at once: one wins where one may, nobody waits for ever, and the sum never changes."""

from __future__ import annotations

from threading import Event
from uuid import uuid4

import psycopg

from advancia import ledger
from advancia.core.money import Money, asset
from advancia.ledger import InsufficientFunds, Posted, Posting, ReferenceConflict, available, clearing
from tests.ledger.conftest import RIVALS, race

USD = asset("USD")


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def test_fifty_equal_calls_make_one_transaction(bank, new_user_id):
    user, reference = new_user_id(), f"race:{uuid4()}"
    outcomes = race([lambda: bank.pay_in(user, usd("5.00"), reference=reference)] * 50)
    assert {type(outcome) for outcome in outcomes} == {Posted}
    assert len({outcome.txn_id for outcome in outcomes}) == 1
    assert [outcome.replayed for outcome in outcomes].count(False) == 1
    assert bank.available(user, usd("0")) == usd("5.00")


def test_of_fifty_contents_under_one_reference_one_is_posted(bank, new_user_id):
    user, reference = new_user_id(), f"race:{uuid4()}"
    outcomes = race(
        [
            lambda minor=minor: bank.pay_in(user, Money(minor, USD), reference=reference)
            for minor in range(1, 51)
        ]
    )
    assert [type(outcome) for outcome in outcomes].count(Posted) == 1
    assert [type(outcome) for outcome in outcomes].count(ReferenceConflict) == 49


def test_of_forty_racing_sends_of_thirty_out_of_a_hundred_three_get_through(bank, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("100.00"))
    outcomes = race([lambda: bank.send(amara, bilal, usd("30.00"))] * 40)
    assert [type(outcome) for outcome in outcomes].count(Posted) == 3
    assert [type(outcome) for outcome in outcomes].count(InsufficientFunds) == 37
    assert bank.available(amara, usd("0")) == usd("10.00")
    assert bank.available(bilal, usd("0")) == usd("90.00")


def test_a_refused_rival_does_not_take_the_reference_with_it(bank, new_user_id):
    """All wait for one reference; the refused ones must not leave it used up for the one that can pay."""
    poor, rich, bilal, reference = new_user_id(), new_user_id(), new_user_id(), f"race:{uuid4()}"
    bank.pay_in(rich, usd("1.00"))
    outcomes = race(
        [lambda: bank.send(poor, bilal, usd("1.00"), reference=reference)] * 10
        + [lambda: bank.send(rich, bilal, usd("1.00"), reference=reference)] * 10
    )
    posted = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    assert [outcome.replayed for outcome in posted].count(False) == 1
    assert bank.available(bilal, usd("0")) == usd("1.00")


def test_one_account_opened_by_many_at_once_is_one_account(bank, new_user_id):
    user = new_user_id()
    outcomes = race([lambda: bank.pay_in(user, usd("1.00"))] * RIVALS)
    assert {type(outcome) for outcome in outcomes} == {Posted}
    assert bank.available(user, usd("0")) == usd(f"{RIVALS}.00")


def test_many_accounts_opened_at_once_in_every_order_do_not_deadlock(bank, new_user_id):
    for _ in range(5):
        users = [new_user_id() for _ in range(6)]

        def pay_all(turn: int, users: list[int] = users) -> Posted:
            order = users[turn % 6 :] + users[: turn % 6]
            return bank.post(*(Posting(clearing("sandbox"), available(user), usd("1.00")) for user in order))

        outcomes = race([lambda turn=turn: pay_all(turn) for turn in range(RIVALS)])
        assert {type(outcome) for outcome in outcomes} == {Posted}
        assert {bank.available(user, usd("0")) for user in users} == {usd(f"{RIVALS}.00")}


def test_an_opening_that_is_undone_leaves_the_account_to_the_next(bank, new_user_id):
    user = new_user_id()
    with bank.session() as session:
        postings = [Posting(clearing("sandbox"), available(user), usd("1.00"))]
        ledger.post(session, reference=f"undone:{user}", kind="test", postings=postings)
        session.rollback()
    assert not bank.pay_in(user, usd("1.00"), reference=f"undone:{user}").replayed
    assert bank.available(user, usd("0")) == usd("1.00")


def test_opposite_transfers_do_not_deadlock(bank, owner_connection, new_user_id):
    def deadlocks() -> int:
        owner_connection.execute("select pg_stat_clear_snapshot()")
        return owner_connection.execute(
            "select deadlocks from pg_stat_database where datname = current_database()"
        ).fetchone()[0]

    users = [new_user_id() for _ in range(3)]
    for user in users:
        bank.pay_in(user, usd("1000.00"))
    before = deadlocks()

    def send_around(turn: int) -> None:
        for step in range(20):
            source = users[(turn + step) % 3]
            bank.send(source, users[(turn + step + 1 + turn % 2) % 3], usd("1.00"))

    outcomes = race([lambda turn=turn: send_around(turn) for turn in range(20)])
    assert outcomes == [None] * 20
    assert deadlocks() == before
    assert sum(bank.available(user, usd("0")).minor for user in users) == 300_000


def test_whoever_reads_meanwhile_always_sees_the_same_total(bank, settings, new_user_id):
    users = [new_user_id() for _ in range(4)]
    for user in users:
        bank.pay_in(user, usd("100.00"))
    done = Event()

    def read() -> set[int]:
        seen = set()
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            while not done.is_set():
                (total,) = connection.execute(
                    "select sum(balance) from ledger.account where holder = any(%s)", (users,)
                ).fetchone()
                seen.add(int(total))
        return seen

    def write(turn: int) -> set[int]:
        try:
            for step in range(60):
                bank.send(users[(turn + step) % 4], users[(turn + step + 1) % 4], usd("0.37"))
        finally:
            done.set()
        return {40_000}

    outcomes = race([read, read, *(lambda turn=turn: write(turn) for turn in range(6))])
    assert outcomes == [{40_000}] * 8


def test_ids_rise_with_the_order_of_an_accounts_entries(bank, app_connection, new_user_id):
    """What history and the proof rely on, though ids are drawn by many at once."""
    user = new_user_id()
    race([lambda: [bank.pay_in(user, usd("1.00")) for _ in range(10)]] * RIVALS)
    rows = app_connection.execute(
        "select e.seq from ledger.entry e join ledger.account a on a.id = e.account_id"
        " where a.holder = %s order by e.txn_id",
        (user,),
    ).fetchall()
    assert [seq for (seq,) in rows] == list(range(1, RIVALS * 10 + 1))


def test_money_that_comes_in_just_after_it_was_found_missing_is_taken(bank, owner_connection, new_user_id):
    """The second look at an account: the first found too little on it, and somebody has paid in since."""
    user = new_user_id()
    bank.pay_in(user, usd("5.00"))
    found = owner_connection.execute(
        "select seq, balance from ledger.open_or_refuse(%s, 'USD', 'available', -500, 'x')", (user,)
    )
    assert found.fetchone() == (2, 0)
