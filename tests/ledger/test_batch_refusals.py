"""What a batch refuses, and what it takes for a repeat, as its items would be one after the other."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.ledger import (
    AccountKey,
    BatchItem,
    InsufficientFunds,
    MalformedPosting,
    Outcome,
    ReferenceConflict,
    available,
    held,
    house,
    receivable,
)
from tests.ledger.batching import pay, pay_in, post_many, send, usd


def test_a_failed_atomic_batch_leaves_nothing_behind(bank, new_user_id):
    amara, bilal, chidi = new_user_id(), new_user_id(), new_user_id()
    items = [
        pay_in(amara, usd(100), f"nothing:{amara}:1"),
        send(amara, bilal, usd(60), f"nothing:{amara}:2"),
        send(amara, chidi, usd(41), f"nothing:{amara}:3"),
    ]
    with pytest.raises(InsufficientFunds) as refusal:
        post_many(bank, items, atomic=True)
    assert (refusal.value.account, refusal.value.available, refusal.value.asked) == (
        available(amara),
        usd(40),
        usd(41),
    )
    assert refusal.value.__notes__ == [f"In a batch, under the reference nothing:{amara}:3."]
    with bank.session() as session:
        accounts = "select count(*) from ledger.account where holder = any(:users)"
        assert session.scalar(text(accounts), {"users": [amara, bilal, chidi]}) == 0
        assert (
            session.scalar(
                text("select count(*) from ledger.txn where reference like :r"), {"r": f"nothing:{amara}:%"}
            )
            == 0
        )


def test_a_refusal_leaves_its_reference_free_and_opens_no_account(bank, new_user_id, app_connection):
    amara, bilal, chidi = new_user_id(), new_user_id(), new_user_id()
    reference = f"free:{amara}"
    outcomes = post_many(bank, [pay_in(amara, usd(5)), send(bilal, chidi, usd(1), reference)], atomic=False)
    assert outcomes[0].refusal is None
    refusal = outcomes[1].refusal
    assert isinstance(refusal, InsufficientFunds)
    assert (refusal.account, refusal.available, refusal.asked) == (available(bilal), usd(0), usd(1))
    opened = "select holder from ledger.account where holder = any(%s)"
    assert app_connection.execute(opened, ([amara, bilal, chidi],)).fetchall() == [(amara,)]
    assert not bank.send(amara, chidi, usd(1), reference=reference).replayed


def test_a_reference_may_come_again_in_one_batch(bank, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    first, second = f"again:{amara}:1", f"again:{amara}:2"
    outcomes = post_many(
        bank,
        [
            send(amara, bilal, usd(5), first),  # refused: she has nothing yet, and the reference stays free
            pay_in(amara, usd(10), second),
            pay_in(amara, usd(10), second),  # a repeat
            pay_in(amara, usd(11), second),  # other content
            send(amara, bilal, usd(6), first),  # now there is enough, and it may even be another amount
            send(amara, bilal, usd(5), first),  # which is now what the reference stands for
        ],
        atomic=False,
    )
    kinds = [type(outcome.refusal) for outcome in outcomes]
    none = type(None)
    assert kinds == [InsufficientFunds, none, none, ReferenceConflict, none, ReferenceConflict]
    assert outcomes[2] == Outcome(outcomes[1].txn_id, replayed=True)
    assert (bank.available(amara, usd(0)), bank.available(bilal, usd(0))) == (usd(4), usd(6))


def test_a_reference_of_another_kind_of_movement_is_a_conflict(bank, new_user_id):
    user = new_user_id()
    bank.pay_in(user, usd(10))
    reference = f"hold:{user}"
    with bank.session() as session:
        hold = ledger.hold(session, reference=reference, kind="test", user_id=user, amount=usd(3))
        session.commit()
    (outcome,) = post_many(bank, [pay(available(user), receivable(user), usd(3), reference)], atomic=False)
    assert hold.txn_id
    assert isinstance(outcome.refusal, ReferenceConflict)


def test_what_can_never_be_right_stops_all_of_it(bank, new_user_id):
    user = new_user_id()
    good = pay_in(user, usd(1))
    for bad in (
        BatchItem("x" * 201, "test", good.postings),
        BatchItem("", "test", good.postings),
        BatchItem(f"bad:{user}", "", good.postings),
        BatchItem(f"bad:{user}", "test", []),
        pay(house("savings"), available(user), usd(1)),
        pay(house("fees"), AccountKey(user, "fees"), usd(1)),
        pay(house("fees"), AccountKey(-1, "available"), usd(1)),
        pay(house("fees"), available(user), usd(10**38)),
        pay(house("fees"), held(user), usd(1)),
    ):
        with pytest.raises(MalformedPosting):
            post_many(bank, [good, bad], atomic=False)
    with pytest.raises(MalformedPosting):
        post_many(bank, [good] * 10_001, atomic=False)
    assert bank.available(user, usd(0)) == usd(0)


def test_one_batch_a_database_transaction(bank, new_user_id):
    user = new_user_id()
    with bank.session() as session:
        ledger.post_many(session, [pay_in(user, usd(1))], atomic=False)
        with pytest.raises(MalformedPosting):
            ledger.post_many(session, [pay_in(user, usd(1))], atomic=False)


CALL = """
    select * from ledger.post_many(true, %s::text[], '{k,k}', '{null,null}', '{null,null}', '{null,null}',
                                   %s::int[], %s::bigint[], %s::text[], %s::text[], %s::numeric[])
"""
BY_HAND = {
    "out of order": ("{1,1,2,2}", "{9,0,0,9}", "{1,-1,-1,1}"),
    "the same account twice": ("{1,1,2,2}", "{9,9,0,9}", "{1,-1,-1,1}"),
    "an item out of order": ("{2,2,1,1}", "{0,9,0,9}", "{-1,1,-1,1}"),
    "an item without legs": ("{1,1,1,1}", "{0,7,8,9}", "{-1,-1,1,1}"),
    "an item of which nobody knows": ("{1,1,2,2,3,3}", "{0,9,0,9,0,9}", "{-1,1,-1,1,-1,1}"),
    "an item with one leg": ("{1,1,1,2}", "{0,8,9,0}", "{-2,1,1,0}"),
    "items that balance each other": ("{1,1,2,2}", "{0,9,0,9}", "{-1,2,-2,1}"),
    "a null amount": ("{1,1,2,2}", "{0,9,0,9}", "{-1,1,null,1}"),
    "a null holder": ("{1,1,2,2}", "{0,9,0,null}", "{-1,1,-1,1}"),
    "half a cent": ("{1,1,2,2}", "{0,9,0,9}", "{-1,1,-0.5,0.5}"),
    "a whole number with decimals": ("{1,1,2,2}", "{0,9,0,9}", "{-1,1,-1.0,1.0}"),
    "NaN": ("{1,1,2,2}", "{0,9,0,9}", "{-1,1,NaN,NaN}"),
    "arrays of two lengths": ("{1,1,2}", "{0,9,0,9}", "{-1,1,-1,1}"),
    "a negative holder": ("{1,1,2,2}", "{-3,9,0,9}", "{-1,1,-1,1}"),
    "no arrays": (None, None, None),
}


@pytest.mark.parametrize("legs", BY_HAND.values(), ids=BY_HAND)
def test_malformed_legs_are_refused_by_the_function_alone(app_connection, legs):
    items, holders, amounts = legs
    purposes = holders and ["fees" if each == "0" else "available" for each in holders.strip("{}").split(",")]
    with pytest.raises(psycopg.Error) as refusal:
        app_connection.execute(
            CALL,
            (
                [str(uuid4()), str(uuid4())],
                items,
                holders,
                purposes and ["USD"] * len(purposes),
                purposes,
                amounts,
            ),
        )
    assert refusal.value.sqlstate == "LG422"
