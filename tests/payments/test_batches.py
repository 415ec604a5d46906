"""Credits made many at once are those that would have been made one by one, whoever else is in the batch."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money, asset
from advancia.core.outbox import Lane
from advancia.payments.batches import BEFORE, CREDITED
from advancia.providers.sandbox.faults import Fault
from tests.support.payments import knock, signature
from worker import tasks
from worker.crew import Crew

FEE = 1_46  # of 40.00: 2.9 % and 0.30


@dataclass(frozen=True)
class Paid:
    """A deposit of 40.00 that is paid at the provider, and the event that tells of it."""

    customer: object
    id: object
    checkout_id: str
    payment_id: str
    body: dict


@pytest.fixture(autouse=True)
def nothing_else_is_due(app):
    with app.app_context(), unit_of_work() as session:
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))


@pytest.fixture
def paid(sandbox, begun, customer):
    def pay(somebody=None):
        somebody = somebody or customer()
        deposit = begun(somebody, "40.00")
        httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False)
        bodies = [json.loads(each.body) for each in sandbox.deliveries()]
        [body] = [each for each in bodies if each["data"]["object"]["id"] == deposit.checkout_id]
        return Paid(somebody, deposit.id, deposit.checkout_id, body["data"]["object"]["payment_intent"], body)

    return pay


@pytest.fixture
def hear(page):
    """Let an event arrive, as one of its own id each time."""

    def arrive(body):
        raw = json.dumps(body | {"id": f"evt_{uuid4().hex}"}).encode()
        assert knock(page, raw, signature(raw)).status == 200

    return arrive


@pytest.fixture
def batch(app):
    """Run all that waits in one batch; give the rows that it has left."""

    def run():
        claims = claimed(app)
        with app.app_context():
            tasks.run_batch(claims)
        return left_of(app, claims)

    return run


@pytest.fixture
def crew(app):
    made = Crew(app)
    yield lambda: in_context(app, made.work_off)
    made.finish()


def in_context(app, action):
    with app.app_context():
        return action()


def claimed(app):
    with app.app_context(), unit_of_work() as session:
        return outbox.claim_due(session, lane=Lane.BATCH, limit=100)


def left_of(app, claims):
    """The rows that are not done, each of which must wait for its turn as if it had not been tried."""
    with app.app_context():
        rows = db.session.execute(
            text(
                "SELECT id, attempts, lane, handed_at FROM outbox WHERE id = any(:ids) AND done_at IS NULL ORDER BY id"
            ),
            {"ids": [claim.outbox_id for claim in claims]},
        ).all()
    assert all(row[1:] == (0, Lane.FIRST, None) for row in rows), rows
    return [claim for claim in claims if claim.outbox_id in {row.id for row in rows}]


def available_to(app, customer):
    with app.app_context():
        return ledger.balance(db.session(), ledger.available(customer.id), asset("USD")).minor


def outcomes(app, paid):
    """What the inbox says of the events about it, in the order in which they came."""
    with app.app_context():
        return db.session.execute(
            text("SELECT state, outcome FROM webhook_event WHERE object_id = :id ORDER BY id"),
            {"id": paid.checkout_id},
        ).all()


def deposit_of(app, paid):
    with app.app_context():
        return db.session.execute(text("SELECT * FROM deposit WHERE id = :id"), {"id": paid.id}).one()


def letters_to(app, customer):
    with app.app_context():
        return db.session.scalar(
            text(
                "SELECT count(*) FROM outbox WHERE kind = 'send_email' AND lane = 2"
                " AND payload->>'template' = 'deposit_paid' AND payload->>'user_id' = :id"
            ),
            {"id": str(customer.id)},
        )


def test_a_batch_credits_each_of_its_payments_with_fee_letter_and_words(app, paid, hear, batch, books):
    house = house_of(app)
    several = [paid() for _ in range(4)]
    for each in several:
        hear(each.body)

    assert batch() == []
    for each in several:
        row = deposit_of(app, each)
        assert (row.state, row.credited, row.payment_id) == ("paid", 40_00, each.payment_id)
        assert (row.checkout_url, row.failure) == (None, None)
        assert available_to(app, each.customer) == 40_00
        assert outcomes(app, each) == [("applied", CREDITED)]
        assert letters_to(app, each.customer) == 1
    assert changed(house, house_of(app)) == {"clearing.sandbox": -4 * (40_00 - FEE), "fees": -4 * FEE}
    books.prove()


def house_of(app):
    with app.app_context():
        return {
            purpose: ledger.balance(db.session(), ledger.house(purpose), asset("USD")).minor
            for purpose in ("clearing.sandbox", "fees", "suspense")
        }


def changed(before, after):
    return {name: after[name] - before[name] for name in before if after[name] != before[name]}


def test_the_posting_names_the_request_that_brought_the_event_and_the_next_checkout_its_customer(
    app, paid, hear, batch
):
    several = [paid() for _ in range(3)]
    for each in several:
        hear(each.body)
    batch()

    with app.app_context():
        rows = db.session.execute(
            text(
                "SELECT t.request_id, o.request_id, c.customer FROM ledger.txn t"
                " JOIN deposit d ON t.reference = 'deposit:' || d.id"
                " JOIN webhook_event w ON w.object_id = d.checkout_id"
                " JOIN outbox o ON o.kind = 'apply_webhook' AND o.payload->>'event_id' = w.id::text"
                " JOIN provider_customer c ON c.user_id = d.user_id"
                " WHERE d.id = any(:ids)"
            ),
            {"ids": [each.id for each in several]},
        ).all()
    assert len(rows) == len({row[0] for row in rows}) == 3
    assert all(row[0] == row[1] and row[2].startswith("cus_") for row in rows)


def test_two_deposits_told_of_twice_each_end_the_same_in_every_order(app, paid, hear, batch):
    for order in sorted(set(itertools.permutations([0, 0, 1, 1]))):
        house, both = house_of(app), [paid(), paid()]
        for place in order:
            hear(both[place].body)

        assert batch() == []
        assert [available_to(app, each.customer) for each in both] == [40_00, 40_00]
        assert changed(house, house_of(app)) == {"clearing.sandbox": -2 * (40_00 - FEE), "fees": -2 * FEE}
        assert [outcomes(app, each) for each in both] == [[("applied", CREDITED), ("applied", BEFORE)]] * 2


def test_a_customer_who_pays_twice_in_one_batch_gets_both(app, paid, hear, batch, customer):
    somebody = customer()
    for _ in range(3):
        hear(paid(somebody).body)

    assert batch() == []
    assert available_to(app, somebody) == 120_00


def suspended(app, _sandbox, each):
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE users SET suspended_at = now() WHERE id = :id"), {"id": each.customer.id}
        )
    return (0, "The deposit waits for staff: The account is suspended.", "applied")


def posted_otherwise(app, _sandbox, each):
    """Its reference is taken in the books by something else."""
    with app.app_context(), unit_of_work() as session:
        ledger.post(
            session,
            reference=f"deposit:{each.id}",
            kind="deposit",
            postings=[
                ledger.Posting(
                    ledger.clearing("sandbox"), ledger.available(each.customer.id), Money.of("1.00", "USD")
                )
            ],
        )
    return (1_00, "The books refuse it", "parked")


def refunded(_app, sandbox, each):
    sandbox.cards.refunds.create({"payment_intent": each.payment_id, "amount": "1000"})
    return (30_00, "The deposit credited; ", "applied")


def disputed(_app, sandbox, each):
    sandbox.cards.disputes.open(each.payment_id)
    return (0, "The deposit credited; ", "applied")


def not_on_the_list(_app, sandbox, each):
    """It was begun long before its event came."""
    intent = sandbox._store.object(each.payment_id)
    sandbox._store.keep(intent | {"created": intent["created"] - 3600})
    return (40_00, CREDITED, "applied")


def of_somebody_else(app, _sandbox, each):
    """The checkout is not that of the deposit which it names."""
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE deposit SET checkout_id = 'cs_of_another_' || id WHERE id = :id"), {"id": each.id}
        )
    return (0, "does not belong to deposit", "parked")


def garbled(app, _sandbox, each):
    """What lies in the inbox cannot be read."""
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE webhook_event SET body = 'not json' WHERE object_id = :id"), {"id": each.checkout_id}
        )
    return (40_00, CREDITED, "applied")


def beyond_all_books(_app, sandbox, each):
    """It breaks the posting of the whole batch: more than any column of the books can hold."""
    for thing_id, name in ((each.payment_id, "amount_received"), (each.checkout_id, "amount_total")):
        sandbox._store.keep(sandbox._store.object(thing_id) | {name: 10**45})
    return (0, "", "received")


@pytest.mark.parametrize(
    "spoil",
    [
        suspended,
        posted_otherwise,
        refunded,
        disputed,
        not_on_the_list,
        of_somebody_else,
        garbled,
        beyond_all_books,
    ],
    ids=lambda spoil: spoil.__name__.replace("_", " "),
)
def test_one_in_the_middle_gets_a_closer_look_and_the_others_are_credited(
    app, sandbox, paid, hear, batch, work, spoil
):
    several = [paid() for _ in range(5)]
    for each in several:
        hear(each.body)
    middle, others = several[2], [*several[:2], *several[3:]]
    balance, words, state = spoil(app, sandbox, middle)
    left = batch()
    assert len(left) == (5 if spoil is beyond_all_books else 1)
    work()

    assert [available_to(app, each.customer) for each in others] == [40_00] * 4
    assert [outcomes(app, each) for each in others] == [[("applied", CREDITED)]] * 4
    assert available_to(app, middle.customer) == balance
    [told] = outcomes(app, middle)
    assert told.state == state
    assert words in (told.outcome or "")


def test_a_provider_that_does_not_answer_leaves_all_of_them_as_they_were(
    app, sandbox, paid, hear, batch, work
):
    several = [paid() for _ in range(3)]
    for each in several:
        hear(each.body)
    sandbox.fail_next(Fault.UNAVAILABLE)

    assert len(batch()) == 3
    work()
    assert [available_to(app, each.customer) for each in several] == [40_00] * 3


def test_events_that_tell_of_no_paid_checkout_are_left(app, sandbox, paid, hear, batch):
    several = [paid() for _ in range(3)]
    kinds = ("checkout.session.expired", "payment_intent.succeeded", "invoice.finalized")
    for each, kind in zip(several, kinds, strict=True):
        hear(each.body | {"type": kind})

    assert len(batch()) == 3
    assert [available_to(app, each.customer) for each in several] == [0] * 3


def test_two_workers_with_the_same_rows_credit_each_once(app, paid, hear, books):
    several = [paid() for _ in range(6)]
    for each in several:
        hear(each.body)
    claims, start = claimed(app), threading.Barrier(3)

    def run(some):
        start.wait()
        in_context(app, lambda: tasks.run_batch(some))

    threads = [threading.Thread(target=run, args=(some,)) for some in (claims, claims[::-1], claims[1:4])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [available_to(app, each.customer) for each in several] == [40_00] * 6
    assert [outcomes(app, each) for each in several] == [[("applied", CREDITED)]] * 6
    assert [letters_to(app, each.customer) for each in several] == [1] * 6
    books.prove()


def test_a_batch_whose_worker_is_killed_is_done_by_another_row_after_row(app, paid, hear, crew):
    several = [paid() for _ in range(4)]
    for each in several:
        hear(each.body)
    lost = claimed(app)  # and nobody runs them
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text(
                "UPDATE outbox SET handed_at = now() - interval '30 s', available_at = now() - interval '30 s'"
                " WHERE id = any(:ids)"
            ),
            {"ids": [claim.outbox_id for claim in lost]},
        )
    crew()

    assert [available_to(app, each.customer) for each in several] == [40_00] * 4
    with app.app_context():
        tries = db.session.scalars(
            text("SELECT attempts FROM outbox WHERE id = any(:ids)"),
            {"ids": [claim.outbox_id for claim in lost]},
        ).all()
    assert tries == [2] * 4


def test_the_crew_credits_a_crowd_with_a_poisoned_event_among_it(app, sandbox, paid, hear, crew):
    several = [paid() for _ in range(12)]
    for each in several:
        hear(each.body)
    beyond_all_books(app, sandbox, several[5])
    crew()

    others = [*several[:5], *several[6:]]
    assert [available_to(app, each.customer) for each in others] == [40_00] * 11
    assert available_to(app, several[5].customer) == 0
    with app.app_context():
        error = db.session.scalar(
            text("SELECT last_error FROM outbox WHERE kind = 'apply_webhook' AND done_at IS NULL")
        )
    assert error is not None
