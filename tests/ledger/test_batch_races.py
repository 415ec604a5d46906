"""Batches beside each other and beside single postings: each thing is posted once, and nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from threading import Thread
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.ledger import (
    InsufficientFunds,
    Posted,
    Posting,
    ReferenceConflict,
    available,
    clearing,
    house,
)
from tests.ledger.batching import pay, pay_in, post_many, prove, send, usd
from tests.ledger.conftest import race


def deadlocks(connection: psycopg.Connection) -> int:
    connection.execute("select pg_stat_clear_snapshot()")
    return connection.execute(
        "select deadlocks from pg_stat_database where datname = current_database()"
    ).fetchone()[0]


def test_the_same_batch_from_eight_at_once_is_posted_once(bank, new_user_id):
    users = [new_user_id() for _ in range(40)]
    items = [pay_in(user, usd(10)) for user in users]
    items += [send(user, users[n - 1], usd(3)) for n, user in enumerate(users)]
    outcomes = race([lambda atomic=n % 2 == 0: post_many(bank, items, atomic=atomic) for n in range(8)])
    assert len({tuple(each.txn_id for each in outcome) for outcome in outcomes}) == 1
    fresh = [[each.replayed for each in outcome] for outcome in outcomes]
    assert sorted(fresh) == [[False] * 80] + [[True] * 80] * 7
    assert {bank.available(user, usd(0)) for user in users} == {usd(10)}


def test_batches_in_opposite_order_do_not_deadlock(bank, new_user_id, owner_connection):
    users = [new_user_id() for _ in range(30)]
    before = deadlocks(owner_connection)

    def rounds(turn: int) -> None:
        for step in range(6):
            order = users if (turn + step) % 2 else users[::-1]
            items = [pay_in(user, usd(2)) for user in order]
            items += [send(user, order[n - 1], usd(1)) for n, user in enumerate(order)]
            if turn % 3:
                items += [send(order[0], order[1], usd(10**9))]  # refused
            post_many(bank, items, atomic=False)

    outcomes = race([lambda turn=turn: rounds(turn) for turn in range(8)])
    assert outcomes == [None] * 8
    assert deadlocks(owner_connection) == before
    assert {bank.available(user, usd(0)) for user in users} == {usd(2 * 6 * 8)}


def test_batches_and_single_postings_of_the_same_things_post_each_once(bank, new_user_id, owner_connection):
    users = [new_user_id() for _ in range(12)]
    post_many(bank, [pay_in(user, usd(20)) for user in users], atomic=True)
    # Together they spend all of it, so that whoever comes late and takes a repeat for a new one is refused.
    items = [send(user, users[n - 1], usd(20)) for n, user in enumerate(users)]
    items += [pay(available(users[0]), house("fees"), usd(20))]
    before = deadlocks(owner_connection)

    def singly(turn: int) -> list[int]:
        order = items[turn:] + items[:turn]
        posted = {
            item.reference: bank.post(*item.postings, reference=item.reference, kind="test").txn_id
            for item in order
        }
        return [posted[item.reference] for item in items]

    def at_once(turn: int) -> list[int]:
        return [each.txn_id for each in post_many(bank, items, atomic=True)]

    outcomes = race([lambda turn=turn: (singly if turn % 2 else at_once)(turn) for turn in range(10)])
    assert outcomes == [outcomes[0]] * 10
    assert isinstance(outcomes[0], list)
    assert deadlocks(owner_connection) == before
    assert [bank.available(user, usd(0)).minor for user in users] == [0, *[20] * 10, 20]


@pytest.mark.parametrize("first", ["batch", "single"])
@pytest.mark.parametrize("commits", [True, False])
def test_a_reference_in_other_hands_is_waited_for(bank, new_user_id, first, commits):
    """Other content, on other accounts: only the reference itself can tell them apart."""
    amara, bilal, reference = new_user_id(), new_user_id(), f"hands:{uuid4()}"
    ours, theirs = pay_in(amara, usd(1), reference), pay_in(bilal, usd(2), reference)
    outcomes = []

    def late() -> None:
        outcomes.extend(post_many(bank, [pay_in(bilal, usd(5)), theirs], atomic=False))

    with bank.session() as session:
        if first == "batch":
            ledger.post_many(session, [ours], atomic=True)
        else:
            ledger.post(session, reference=reference, kind="test", postings=ours.postings)
        thread = Thread(target=late)
        thread.start()
        wait_until_somebody_waits(session)
        session.commit() if commits else session.rollback()
        thread.join()
    assert outcomes[0].refusal is None
    assert isinstance(outcomes[1].refusal, ReferenceConflict) is commits
    assert bank.available(bilal, usd(0)) == usd(5 if commits else 7)


@pytest.mark.parametrize("same", [True, False])
def test_a_single_posting_waits_for_a_batch_and_then_tells_the_truth(bank, new_user_id, same):
    amara, bilal, reference = new_user_id(), new_user_id(), f"truth:{uuid4()}"
    bank.pay_in(amara, usd(10))
    bank.pay_in(bilal, usd(10))
    chosen = send(amara, bilal, usd(10), reference)
    outcomes = []

    def late() -> None:
        postings = (
            chosen.postings if same else [Posting(clearing("sandbox"), available(new_user_id()), usd(1))]
        )
        outcomes.extend(race([lambda: bank.post(*postings, reference=reference, kind="test")]))

    with bank.session() as session:
        (posted,) = ledger.post_many(session, [chosen], atomic=True)
        thread = Thread(target=late)
        thread.start()
        wait_until_somebody_waits(session)
        session.commit()
        thread.join()
    if same:  # she has nothing left, yet it is a repeat and no refusal
        assert outcomes == [Posted(posted.txn_id, replayed=True)]
    else:
        assert isinstance(outcomes[0], ReferenceConflict)


def wait_until_somebody_waits(session) -> None:
    for _ in range(500):
        waiting = session.scalar(
            text(
                "select count(*) from pg_locks w where not w.granted and w.locktype in ('transactionid', 'tuple')"
                " and pg_backend_pid() = any(pg_blocking_pids(w.pid))"
            )
        )
        if waiting:
            return
        session.execute(text("select pg_sleep(0.01)"))
    raise AssertionError("nobody waited")


def test_accounts_opened_by_batches_at_once_are_opened_once(bank, new_user_id, owner_connection):
    before = deadlocks(owner_connection)
    for _ in range(4):
        users = [new_user_id() for _ in range(8)]

        def pay_all(turn: int, users: list[int] = users) -> None:
            order = users[turn:] + users[:turn]
            if turn % 2:
                post_many(bank, [pay_in(user, usd(1)) for user in order], atomic=True)
            else:
                bank.post(*(Posting(clearing("sandbox"), available(user), usd(1)) for user in order))

        assert race([lambda turn=turn: pay_all(turn) for turn in range(8)]) == [None] * 8
        assert {bank.available(user, usd(0)) for user in users} == {usd(8)}
    assert deadlocks(owner_connection) == before
    prove(bank)


def test_an_account_is_opened_only_by_the_batch_that_pays_into_it(bank, new_user_id, app_connection):
    """Each of them finds enough money at first, and all but three have to think again with their account open."""
    bilal, others = new_user_id(), [new_user_id() for _ in range(8)]
    bank.pay_in(bilal, usd(30))
    outcomes = race(
        [lambda other=other: post_many(bank, [send(bilal, other, usd(10))], atomic=False) for other in others]
    )
    assert Counter(type(outcome.refusal) for (outcome,) in outcomes) == {type(None): 3, InsufficientFunds: 5}
    opened = app_connection.execute(
        "select holder, balance from ledger.account where holder = any(%s)", (others,)
    ).fetchall()
    paid = [other for other, (outcome,) in zip(others, outcomes, strict=True) if outcome.refusal is None]
    assert sorted(opened) == [(other, 10) for other in paid]
