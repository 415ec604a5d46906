"""A batch is the same as its items one after the other, only quicker; that is all that is tested here."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from threading import Thread
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from advancia import ledger
from advancia.core import context
from advancia.core.money import Money, asset
from advancia.ledger import (
    AccountKey,
    BatchItem,
    Entry,
    InsufficientFunds,
    LedgerError,
    MalformedPosting,
    Outcome,
    Posted,
    Posting,
    ReferenceConflict,
    available,
    check,
    clearing,
    held,
    house,
    receivable,
)
from tests.ledger.conftest import Bank, race

USD, ETH = asset("USD"), asset("ETH")


def usd(minor: int) -> Money:
    return Money(minor, USD)


def pay(
    source: AccountKey, destination: AccountKey, amount: Money, reference: str | None = None
) -> BatchItem:
    return BatchItem(reference or f"batch:{uuid4()}", "test", [Posting(source, destination, amount)])


def pay_in(user: int, amount: Money, reference: str | None = None) -> BatchItem:
    return pay(clearing("sandbox"), available(user), amount, reference)


def send(source: int, destination: int, amount: Money, reference: str | None = None) -> BatchItem:
    return pay(available(source), available(destination), amount, reference)


def post_many(bank: Bank, items: list[BatchItem], *, atomic: bool) -> list[Outcome]:
    with bank.session() as session:
        outcomes = ledger.post_many(session, items, atomic=atomic)
        session.commit()
        return outcomes


def retried(call):
    """What `in_unit_of_work` does when the database asks for another try."""
    for _ in range(10):
        try:
            return call()
        except DBAPIError as error:
            if error.orig.sqlstate != "40001":
                raise
    raise AssertionError("refused ten times")


def one_by_one(bank: Bank, items: list[BatchItem]) -> list[Outcome]:
    outcomes = []
    for item in items:
        try:
            posted = bank.post(
                *item.postings,
                reference=item.reference,
                kind=item.kind,
                meta=item.meta,
                effective_at=item.effective_at,
            )
            outcomes.append(Outcome(posted.txn_id, posted.replayed))
        except LedgerError as refusal:
            outcomes.append(Outcome(None, refusal=refusal))
    return outcomes


def prove(bank: Bank) -> None:
    with bank.session() as session:
        report = check.run(session)
    assert report.is_right, report.differences


# --- one by one and all at once -----------------------------------------------------------------------------

# The places of a transfer: two customers' accounts, a third who never gets money of the house's, the house.
PLACES = [
    *((user, purpose) for user in range(2) for purpose in ("available", "receivable")),
    (2, "available"),
    (None, "clearing.sandbox"),
    (None, "fees"),
]
CONTENTS = st.fixed_dictionaries(
    {
        "reference": st.integers(0, 9),
        "kind": st.sampled_from(["transfer", "fee"]),
        "meta": st.sampled_from([None, {"note": 'a "quoted\\" note, für Käse 🧀'}]),
        "effective_at": st.sampled_from([None, datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)]),
        "moves": st.lists(
            st.tuples(
                st.sampled_from(PLACES),
                st.sampled_from(PLACES),
                st.one_of(st.integers(1, 60), st.just(3 * 10**19)),
                st.sampled_from([USD, ETH]),
            ).filter(lambda move: move[0] != move[1]),
            min_size=1,
            max_size=3,
        ),
    }
)
FUNDINGS = st.fixed_dictionaries(
    {
        "reference": st.integers(10, 29),
        "kind": st.just("deposit"),
        "meta": st.none(),
        "effective_at": st.none(),
        "moves": st.tuples(
            st.tuples(
                st.just((None, "clearing.sandbox")),
                st.sampled_from(PLACES[:4]),
                st.integers(1, 100),
                st.sampled_from([USD, ETH]),
            )
        ),
    }
)
BATCHES = st.lists(st.lists(st.one_of(CONTENTS, FUNDINGS), min_size=1, max_size=12), min_size=1, max_size=3)


class Twin:
    """A set of customers on whom the same things happen as on the other set."""

    def __init__(self, bank: Bank, new_user_id) -> None:
        self.bank = bank
        self.users = [new_user_id() for _ in range(3)]
        self.name = uuid4().hex
        self.txn_ids: list[int] = []

    def items(self, contents: list) -> list[BatchItem]:
        items = [
            BatchItem(
                reference=f"{self.name}:{each['reference']}",
                kind=each["kind"],
                meta=each["meta"],
                effective_at=each["effective_at"],
                postings=[
                    Posting(self.key(source), self.key(destination), Money(minor, of_asset))
                    for source, destination, minor, of_asset in each["moves"]
                ],
            )
            for each in contents
        ]
        return [item for item in items if moves_something(item)]

    def key(self, place) -> AccountKey:
        number, purpose = place
        return house(purpose) if number is None else AccountKey(self.users[number], purpose)

    def told(self, outcome: Outcome) -> tuple:
        """The outcome, without what differs from twin to twin."""
        refusal = outcome.refusal
        if isinstance(refusal, InsufficientFunds):
            place = (self.users.index(refusal.account.holder), refusal.account.purpose)
            return ("short", place, refusal.available, refusal.asked)
        if isinstance(refusal, ReferenceConflict):
            return ("conflict", refusal.reference.removeprefix(self.name))
        if outcome.txn_id not in self.txn_ids:
            self.txn_ids.append(outcome.txn_id)
        return ("posted", self.txn_ids.index(outcome.txn_id), outcome.replayed)

    def books(self) -> list[tuple]:
        """All accounts with all their entries in the order of ids; only the ids and the times are left out."""
        with self.bank.session() as session:
            rows = session.execute(
                text(
                    "select a.holder, a.asset, a.purpose, a.floor, a.balance, a.seq,"
                    " e.seq, e.amount, e.balance_after, e.asset, t.reference, t.kind, t.meta, t.effective_at"
                    " from ledger.account a left join ledger.entry e on e.account_id = a.id"
                    " left join ledger.txn t on t.id = e.txn_id"
                    " where a.holder = any(:users) or a.holder = 0 and t.reference like :mine"
                    " order by a.holder, a.asset, a.purpose, t.id"
                ),
                {"users": self.users, "mine": f"{self.name}:%"},
            )
            return [self.row(*row) for row in rows]

    def row(self, holder, code, purpose, floor, balance, *rest) -> tuple:
        *of_entry, reference, kind, meta, effective_at = rest
        place = self.users.index(holder) if holder else None
        reference = reference and reference.removeprefix(self.name)
        return (place, code, purpose, floor, balance, *of_entry, reference, kind, repr(meta), effective_at)


def moves_something(item: BatchItem) -> bool:
    changes = Counter()
    for posting in item.postings:
        changes[posting.source, posting.amount.asset.code] -= posting.amount.minor
        changes[posting.destination, posting.amount.asset.code] += posting.amount.minor
    return any(changes.values())


def test_a_batch_does_what_its_items_would_do_one_by_one(bank, new_user_id):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(BATCHES)
    def compare(batches: list) -> None:
        one, many = Twin(bank, new_user_id), Twin(bank, new_user_id)
        for contents in batches:
            expected = [one.told(outcome) for outcome in one_by_one(bank, one.items(contents))]
            items = many.items(contents)
            if not items:
                continue
            first = next((told for told in expected if told[0] != "posted"), None)
            if first is not None:
                before = many.books()
                with pytest.raises((InsufficientFunds, ReferenceConflict)) as refusal:
                    post_many(bank, items, atomic=True)
                assert many.told(Outcome(None, refusal=refusal.value)) == first
                assert many.books() == before
            outcomes = post_many(bank, items, atomic=first is None)
            assert [many.told(outcome) for outcome in outcomes] == expected
            assert many.books() == one.books()
            # One after the other they are found again, so they have the same fingerprints.
            posted = [(item, o) for item, o in zip(items, outcomes, strict=True) if o.refusal is None]
            again = one_by_one(bank, [item for item, _ in posted])
            assert again == [Outcome(outcome.txn_id, replayed=True) for _, outcome in posted]

    compare()
    prove(bank)


def test_nothing_to_post_asks_nothing(bank):
    assert post_many(bank, [], atomic=True) == []


# --- what is written ----------------------------------------------------------------------------------------


def test_each_item_keeps_what_is_its_own(bank, new_user_id):
    user = new_user_id()
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    items = [
        BatchItem(
            f"own:{user}:1",
            "bonus",
            [Posting(house("promotions"), available(user), Money(10**30 + 1, ETH))],
            meta={"note": "für Käse 🧀"},
            effective_at=at,
            request_id="mine",
        ),
        BatchItem(
            f"own:{user}:2",
            "fee",
            [
                Posting(available(user), house("fees"), Money(1, ETH)),
                Posting(clearing("sandbox"), receivable(user), usd(7)),
            ],
        ),
    ]
    with context.bound_request_id("of all"):
        outcomes = post_many(bank, items, atomic=True)
    with bank.session() as session:
        bonus = ledger.transaction(session, f"own:{user}:1")
        fee = ledger.transaction(session, f"own:{user}:2")
    assert [bonus.id, fee.id] == [outcome.txn_id for outcome in outcomes]
    assert (bonus.kind, bonus.meta, bonus.effective_at, bonus.request_id) == (
        "bonus",
        {"note": "für Käse 🧀"},
        at,
        "mine",
    )
    assert (fee.kind, fee.meta, fee.request_id) == ("fee", {}, "of all")
    assert fee.effective_at == fee.created_at
    assert bonus.entries[1] == Entry(available(user), Money(10**30 + 1, ETH), Money(10**30 + 1, ETH))
    assert fee.entries == (
        Entry(house("fees"), Money(1, ETH), None),
        Entry(clearing("sandbox"), usd(-7), None),
        Entry(available(user), Money(-1, ETH), Money(10**30, ETH)),
        Entry(receivable(user), usd(7), usd(7)),
    )


def test_five_thousand_at_once(bank, new_user_id):
    users = [new_user_id() for _ in range(2500)]
    items = [pay_in(user, usd(500)) for user in users]
    items += [send(user, users[(n + 1) % 2500], usd(300)) for n, user in enumerate(users)]
    outcomes = post_many(bank, items, atomic=True)
    assert not any(outcome.replayed or outcome.refusal for outcome in outcomes)
    ids = [outcome.txn_id for outcome in outcomes]
    assert ids == sorted(set(ids))
    assert {bank.available(user, usd(0)).minor for user in users[::50]} == {500}
    assert post_many(bank, items, atomic=True) == [Outcome(each, replayed=True) for each in ids]
    prove(bank)


def test_ids_rise_with_seq_though_references_are_written_in_their_own_order(
    bank, new_user_id, app_connection
):
    user = new_user_id()
    post_many(bank, [pay_in(user, usd(1), f"down:{user}:{9 - n}") for n in range(10)], atomic=True)
    rows = app_connection.execute(
        "select e.seq, e.balance_after from ledger.entry e join ledger.account a on a.id = e.account_id"
        " where a.holder = %s order by e.txn_id",
        (user,),
    ).fetchall()
    assert rows == [(n, n) for n in range(1, 11)]


def test_the_rows_of_the_house_are_left_alone(bank, new_user_id, owner_connection):
    user = new_user_id()
    post_many(bank, [pay_in(user, usd(1))], atomic=True)
    sql = "select ctid, balance, seq from ledger.account where holder = 0 and asset = 'USD' and purpose = %s"
    before = owner_connection.execute(sql, ("clearing.sandbox",)).fetchone()
    owner_connection.commit()
    post_many(bank, [pay_in(user, usd(1)) for _ in range(50)], atomic=True)
    assert owner_connection.execute(sql, ("clearing.sandbox",)).fetchone() == before


# --- refusals and repeats -----------------------------------------------------------------------------------


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


# --- many at once -------------------------------------------------------------------------------------------


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
            item.reference: retried(
                lambda item=item: bank.post(*item.postings, reference=item.reference, kind="test")
            ).txn_id
            for item in order
        }
        return [posted[item.reference] for item in items]

    def at_once(turn: int) -> list[int]:
        return [each.txn_id for each in retried(lambda: post_many(bank, items, atomic=True))]

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
        outcomes.extend(
            race([lambda: retried(lambda: bank.post(*postings, reference=reference, kind="test"))])
        )

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
