"""The inbox: only what the provider signed, each once, and in any order."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from advancia.core.db import db
from tests.payments.test_pay_in import begin, deposit_of
from tests.support.pages import InProcess, Page
from tests.support.payments import choose, event, knock, signature


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def paid(app, sandbox, amara, page_of):
    """A checkout that its customer has paid, of which we have not heard yet."""
    choose(begin(page_of(amara), "40.00"), "pay")
    return deposit_of(app, amara)


def stored(app, *event_ids):
    with app.app_context():
        return db.session.scalar(
            text("SELECT count(*) FROM webhook_event WHERE event_id = ANY(:ids)"), {"ids": list(event_ids)}
        )


def test_the_same_webhook_fifty_times_ten_at_once_credits_once(app, paid, amara, work, books):
    body = event("checkout.session.completed", paid.checkout_id, "evt_fifty" + paid.checkout_id)
    header = signature(body)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: knock(Page(InProcess(app)), body, header), range(50)))
    work()

    assert {answer.status for answer in answers} == {200}
    assert [answer.html for answer in answers].count("stored") == 1
    assert str(books.available(amara)) == "40.00 USD"
    assert books.entry_count(amara) == 1
    books.prove()


def test_fifty_events_about_one_payment_credit_once(paid, amara, page, work, books):
    for _ in range(50):
        body = event("checkout.session.completed", paid.checkout_id)
        assert knock(page, body, signature(body)).status == 200
    work()

    assert str(books.available(amara)) == "40.00 USD"
    assert books.entry_count(amara) == 1


FORGERIES = {
    "forged with another secret": lambda body: (body, signature(body, secret="whsec_of_somebody_else")),
    "stale by a second": lambda body: (body, signature(body, age=301)),
    "altered after signing": lambda body: (body.replace(b"completed", b"complet3d"), signature(body)),
    "altered by a space": lambda body: (body + b" ", signature(body)),
    "unsigned": lambda body: (body, ""),
    "signed in the future": lambda body: (body, signature(body, age=-400)),
    "with a header of garbage": lambda body: (body, "t=now,v1=\u00e9\u00e9"),
    "signed, but no event": lambda _body: (b"[]", signature(b"[]")),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_what_is_not_the_providers_is_refused_and_leaves_no_row(app, paid, amara, page, work, books, forge):
    event_id = "evt_forged_" + paid.checkout_id
    body, header = forge(event("checkout.session.completed", paid.checkout_id, event_id))
    answer = knock(page, body, header.encode("latin-1").decode("latin-1"))
    work()

    assert answer.status == 400
    assert stored(app, event_id) == 0
    assert books.entry_count(amara) == 0


def test_an_event_signed_299_seconds_ago_is_taken(paid, amara, page, work, books):
    body = event("checkout.session.completed", paid.checkout_id)
    assert knock(page, body, signature(body, age=299)).status == 200
    work()

    assert str(books.available(amara)) == "40.00 USD"


def test_what_is_too_large_is_refused(page):
    body = b"x" * (600 * 1024)

    assert knock(page, body, signature(body)).status == 413


@pytest.mark.parametrize(
    "order",
    list(
        itertools.permutations(
            [
                "checkout.session.completed",
                "checkout.session.expired",
                "checkout.session.async_payment_failed",
            ]
        )
    ),
    ids=lambda order: " ".join(kind.rsplit(".", 1)[-1] for kind in order),
)
def test_events_in_any_order_end_in_what_the_provider_says_now(paid, amara, tell, work, books, app, order):
    for kind in order:
        tell(kind, paid.checkout_id)
        work()

    assert deposit_of(app, amara).state == "paid"
    assert str(books.available(amara)) == "40.00 USD"


def test_a_claim_that_the_provider_does_not_confirm_credits_nothing(
    app, sandbox, amara, page_of, tell, work, books
):
    begin(page_of(amara), "40.00")
    deposit = deposit_of(app, amara)
    tell("checkout.session.completed", deposit.checkout_id)
    work()

    assert deposit_of(app, amara).state == "pending"
    assert books.entry_count(amara) == 0


def test_kinds_that_we_do_not_act_on_are_kept_and_marked(app, page, work):
    body = event("invoice.finalized", "in_1", "evt_unknown_kind")
    assert knock(page, body, signature(body)).status == 200
    work()

    with app.app_context():
        row = db.session.execute(
            text("SELECT * FROM webhook_event WHERE event_id = 'evt_unknown_kind'")
        ).one()
    assert (row.state, bytes(row.body)) == ("ignored", body)


def test_a_checkout_that_names_no_deposit_of_ours_is_parked_for_staff(app, sandbox, tell, work):
    from datetime import timedelta
    from uuid import uuid4

    from advancia.core.clock import utcnow
    from advancia.core.money import Money

    checkout = app.extensions["gateway"].create_checkout(
        deposit_id=uuid4(),
        amount=Money.of("5.00", "USD"),
        customer_email="x@test.example",
        success_url="http://localhost/",
        cancel_url="http://localhost/",
        expires_at=utcnow() + timedelta(hours=1),
    )
    choose(checkout.url, "pay")
    tell("checkout.session.completed", checkout.id)
    work()

    with app.app_context():
        row = db.session.execute(
            text("SELECT state, outcome FROM webhook_event WHERE object_id = :id"), {"id": checkout.id}
        ).one()
    assert row.state == "parked"
    assert checkout.id in row.outcome


def test_a_provider_that_is_down_is_asked_again_until_it_answers(
    app, sandbox, paid, amara, tell, work, books
):
    from advancia.core.db import unit_of_work
    from advancia.providers.sandbox.faults import Fault

    sandbox.fail_next(Fault.UNAVAILABLE)
    tell("checkout.session.completed", paid.checkout_id)
    work()
    assert books.entry_count(amara) == 0

    with app.app_context(), unit_of_work() as session:  # the time of the second try comes
        session.execute(text("UPDATE outbox SET available_at = now() WHERE done_at IS NULL"))
    work()
    assert str(books.available(amara)) == "40.00 USD"


def test_an_event_whose_provider_never_answers_is_parked_with_its_job_and_can_be_sent_again(
    app, sandbox, paid, amara, tell, work, books
):
    from advancia.core import outbox
    from advancia.core.db import unit_of_work
    from advancia.providers.sandbox.faults import Fault

    sandbox.fail_next(Fault.UNAVAILABLE)
    tell("checkout.session.completed", paid.checkout_id)
    with app.app_context(), unit_of_work() as session:  # all tries but the last have been in vain
        row = session.scalar(
            text(
                "UPDATE outbox SET attempts = :n WHERE done_at IS NULL AND kind = 'apply_webhook' RETURNING id"
            ),
            {"n": outbox.MAX_ATTEMPTS - 1},
        )
    work()

    def state_of_event():
        with app.app_context():
            return db.session.scalar(
                text("SELECT state FROM webhook_event WHERE object_id = :id"), {"id": paid.checkout_id}
            )

    assert state_of_event() == "parked"
    with app.app_context(), unit_of_work() as session:
        assert outbox.send_again(session, row)
    work()
    assert state_of_event() == "applied"
    assert str(books.available(amara)) == "40.00 USD"
