"""The inbox keeps each try, and gives every event another chance: by command, by staff, by its provider."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
import stripe
from sqlalchemy import text

from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.errors import NotFound
from advancia.providers.sandbox.faults import Fault
from advancia.webhooks import queries, services
from advancia.webhooks.cli import webhooks_cli
from tests.payments.test_pay_in import begin, deposit_of
from tests.support.payments import SECRET, choose, event, knock, signature
from tests.support.people import new_staff


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def paid(app, sandbox, amara, page_of):
    choose(begin(page_of(amara), "40.00"), "pay")
    return deposit_of(app, amara)


@pytest.fixture
def admin(app):
    return Actor(new_staff(app, "admin").id, "admin", "10.0.0.1", None)


def newest(app):
    with app.app_context():
        [row] = queries.inbox(db.session(), size=1)
        return queries.detail(db.session(), row.id)


def test_each_try_is_kept_with_its_error(app, sandbox, paid, amara, tell, work, work_through, books):
    sandbox.fail_next(Fault.UNAVAILABLE, 2)
    tell("checkout.session.completed", paid.checkout_id)
    work_through()

    kept = newest(app)
    assert kept.row.state == "applied"
    assert [each.attempt for each in kept.tries] == [1, 2]
    assert all("could not reach" in each.error for each in kept.tries)
    assert str(books.available(amara)) == "40.00 USD"


def test_what_the_provider_does_not_know_is_parked_after_a_few_tries(app, sandbox, tell, work_through):
    tell("checkout.session.completed", "cs_test_nowhere")
    work_through()

    kept = newest(app)
    assert kept.row.state == "parked"
    assert "No such checkout.session" in kept.row.outcome
    assert len(kept.tries) == 3


def test_a_parked_event_is_tried_anew_when_its_provider_sends_it_again(
    app, page, sandbox, paid, amara, work, books
):
    body = event("checkout.session.completed", paid.checkout_id)
    knock(page, body, signature(body))
    park(app)
    work()
    with app.app_context(), unit_of_work() as session:
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))
    assert knock(page, body, signature(body)).html == "known"
    work()

    assert newest(app).row.state == "applied"
    assert str(books.available(amara)) == "40.00 USD"


def park(app):
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE webhook_event SET state = 'parked' WHERE id = (SELECT max(id) FROM webhook_event)")
        )
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))


def test_staff_park_and_replay_and_it_is_written_down(app, sandbox, paid, amara, admin, tell, work, books):
    from advancia import audit

    tell("checkout.session.completed", paid.checkout_id)
    event_id = newest(app).row.id
    with app.app_context(), unit_of_work() as session:
        services.park(session, event_id=event_id, actor=admin, reason="Looked odd")
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))
    assert newest(app).row.outcome == "Looked odd"
    with app.app_context(), unit_of_work() as session:
        services.replay(session, event_id=event_id, actor=admin)
    work()

    assert str(books.available(amara)) == "40.00 USD"
    with app.app_context():
        lines = audit.records_of(db.session(), kind="webhook", id=event_id, limit=5)
        assert [line.action for line in lines] == ["webhook.replayed", "webhook.parked"]
    with pytest.raises(NotFound), app.app_context(), unit_of_work() as session:
        services.park(session, event_id=event_id, actor=admin, reason="Too late")


def test_replaying_what_was_applied_credits_nothing_more(app, sandbox, paid, amara, tell, work, books):
    tell("checkout.session.completed", paid.checkout_id)
    work()
    for _ in range(3):
        with app.app_context(), unit_of_work() as session:
            services.replay(session, event_id=newest_id(app))
        work()

    assert books.entry_count(amara) == 1
    assert newest(app).row.state == "applied"


def newest_id(app):
    return queries.inbox(db.session(), size=1)[0].id


def run(app, *arguments):
    return app.test_cli_runner().invoke(webhooks_cli, ["replay", *arguments])


def test_the_command_replays_what_is_parked_and_says_how_much(app, sandbox, paid, amara, tell, work, books):
    tell("checkout.session.completed", paid.checkout_id)
    park(app)
    event_id = newest(app).row.id
    told = run(app, "--json")
    work()

    assert told.exit_code == 0
    assert event_id in json.loads(told.output)["replayed"]
    assert str(books.available(amara)) == "40.00 USD"


def test_the_command_replays_by_id_and_kind_and_fails_for_nothing(app, sandbox, paid, tell, work):
    tell("checkout.session.completed", paid.checkout_id)
    work()
    event_id = newest(app).row.id

    assert run(app, str(event_id)).output == "1 event put back to work.\n"
    unknown = run(app, "999999999", "--json")
    assert (unknown.exit_code, json.loads(unknown.output)) == (1, {"replayed": [], "unknown": [999999999]})
    assert run(app, "--kind", "checkout.session.*", "--provider", "sandbox").exit_code == 0
    assert run(app, "--kind", "no.such.kind").exit_code == 1


def test_kinds_that_we_do_not_act_on_are_counted(app, page, work):
    kind = f"unheard.of.kind_{uuid4().hex[:6]}"
    for _ in range(3):
        body = event(kind, "x_1")
        knock(page, body, signature(body))
    work()

    with app.app_context():
        assert queries.counts(db.session())[kind, "ignored"] == 3


def test_what_the_books_refuse_is_parked_with_their_words(
    app, page, sandbox, paid, amara, tell, work_through, books
):
    from advancia import ledger

    tell("checkout.session.completed", paid.checkout_id)
    work_through()
    with app.app_context(), unit_of_work() as session:
        ledger.reverse(
            session,
            transaction_reference=f"deposit:{paid.id}",
            reference=f"undo:{paid.id}",
            reason="By staff",
        )
    intent = sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"]
    sandbox.cards.refunds.create({"payment_intent": intent})
    tell("charge.refund.updated", sandbox.cards.refunds.of("", {"payment_intent": intent})["data"][0]["id"])
    work_through()

    kept = newest(app)
    assert kept.row.state == "parked"
    assert "The books refuse it" in kept.row.outcome
    assert str(books.available(amara)) == "0.00 USD"


FIXTURES = {
    "2014": {"api_version": "2014-11-05", "object": "event", "request": "req_1", "user_id": "acct_1"},
    "2022": {
        "api_version": "2022-11-15",
        "object": "event",
        "request": {"id": None, "idempotency_key": None},
    },
    "the newest": {
        "api_version": "2026-10-28.endive",
        "object": "event",
        "context": "acct_1",
        "reason": None,
    },
    "of the future": {"api_version": "2031-01-01.zzz", "object": "event", "unheard_of": [{"a": None}]},
}


@pytest.mark.parametrize("fields", FIXTURES.values(), ids=FIXTURES.keys())
@pytest.mark.parametrize(
    ("kind", "about"),
    [
        (
            "checkout.session.completed",
            {"id": "cs_test_unknown", "object": "checkout.session", "ui_mode": "odd"},
        ),
        ("charge.refunded", {"id": "ch_unknown", "object": "charge", "refunds": {"data": []}}),
        ("charge.refund.updated", {"id": "re_unknown", "object": "refund"}),
        ("charge.dispute.closed", {"id": "dp_unknown", "object": "dispute"}),
        ("payout.paid", {"id": "po_unknown", "object": "payout"}),
        ("balance.available", {"object": "balance", "available": []}),
        ("customer.subscription.trial_will_end", {"id": "sub_1", "object": "subscription"}),
    ],
)
def test_events_of_every_version_are_applied_or_kept_and_never_break_anything(
    app, page, sandbox, work_through, fields, kind, about
):
    body = json.dumps(
        {
            "id": f"evt_{uuid4().hex}", "type": kind, "created": int(time.time()), "livemode": False,
            "data": {"object": about, "previous_attributes": {}}, **fields,
        }
    ).encode()  # fmt: skip
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, int(time.time()))
    assert knock(page, body, str(header)).status == 200
    work_through()

    assert newest(app).row.state in ("ignored", "parked")
    assert newest(app).body == body.decode()
