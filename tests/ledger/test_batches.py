"""A batch is the same as its items one after the other, only quicker; that is all that is tested here."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from advancia import ledger
from advancia.core import context
from advancia.core.money import Money
from advancia.ledger import (
    AccountKey,
    BatchItem,
    Entry,
    InsufficientFunds,
    Outcome,
    Posting,
    ReferenceConflict,
    available,
    clearing,
    house,
    receivable,
)
from tests.ledger.batching import ETH, USD, one_by_one, pay_in, post_many, prove, send, usd
from tests.ledger.conftest import Bank

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
