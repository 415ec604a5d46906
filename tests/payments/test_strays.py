"""Money that fits no deposit: it lies in suspense with a reason until staff decide."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import httpx
import pytest
import stripe
from sqlalchemy import select, text

from advancia import ledger
from advancia.core import alarms
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.errors import NotFound
from advancia.core.money import Money, asset
from advancia.payments.errors import AlreadyDecided
from advancia.payments.models import StrayPayment
from advancia.payments.refunds import suspense
from advancia.payments.strays import services as strays
from advancia.providers import authorities
from advancia.webhooks import queries
from advancia.webhooks import services as webhooks
from tests.payments.test_any_order import COIN_FEE, House
from tests.support.payments import SECRET, pass_on
from tests.support.people import new_staff
from worker import watch


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def finance(app):
    return Actor(new_staff(app, "finance").id, "finance", "10.0.0.1", None)


@pytest.fixture
def house(app):
    return House(app)


@pytest.fixture
def tell_all(page, sandbox, work_through):
    """Pass on every event that the provider has made, and work them off."""

    def tell():
        for event in sandbox.deliveries():
            assert pass_on(page, event).status == 200
        work_through()

    return tell


def lying(amount, *, fee):
    """What lies in suspense of a card payment, and at the provider, who has kept 2.9 % and 0.30."""
    return {
        ("suspense", "USD"): amount,
        ("clearing.sandbox", "USD"): -amount + fee,
        ("fees", "USD"): -fee,
    }


def stray_of(app, payment_id):
    with app.app_context():
        return db.session.scalars(
            select(StrayPayment).where(StrayPayment.payment_id == payment_id)
        ).one_or_none()


def newest_event(app):
    with app.app_context():
        return db.session.execute(
            text("SELECT state, outcome FROM webhook_event ORDER BY id DESC LIMIT 1")
        ).one()


def pay_elsewhere(sandbox, amount, currency):
    client = stripe.StripeClient(SECRET, base_addresses={"api": sandbox.url})
    return client.v1.payment_intents.create({"amount": amount, "currency": currency, "confirm": True}).id


def suspend(app, customer, *, since="now()"):
    with app.app_context(), unit_of_work() as session:
        session.execute(text(f"UPDATE users SET suspended_at = {since} WHERE id = :id"), {"id": customer.id})


def test_a_payment_begun_elsewhere_goes_into_suspense_once(app, sandbox, house, tell_all, books):
    payment = pay_elsewhere(sandbox, 25_00, "usd")
    tell_all()
    tell_all()

    stray = stray_of(app, payment)
    assert (stray.state, stray.amount, stray.asset) == ("open", 2500, "USD")
    assert "no checkout of ours" in stray.reason
    assert house.changes == lying(25_00, fee=1_02)
    books.prove()


def test_a_currency_that_the_books_do_not_keep_is_noted_and_not_posted(app, sandbox, house, tell_all):
    payment = pay_elsewhere(sandbox, 500, "eur")
    tell_all()

    stray = stray_of(app, payment)
    assert (stray.state, stray.amount, stray.words) == ("open", None, "500 of the smallest unit of EUR")
    assert house.changes == {}


def test_a_checkout_of_no_deposit_is_parked_and_its_money_is_not_lost(
    app, sandbox, begun, amara, house, tell_all
):
    deposit = begun(amara, "40.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False, verify=authorities.known())
    with app.app_context(), unit_of_work() as session:
        session.execute(text("DELETE FROM deposit WHERE id = :id"), {"id": deposit.id})
    tell_all()

    intent = sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"]
    assert stray_of(app, intent).amount == 4000
    assert house.changes == lying(40_00, fee=1_46)
    assert newest_event(app).state == "parked"
    assert (
        "put into suspense" in newest_event(app).outcome or "in suspense already" in newest_event(app).outcome
    )


@pytest.fixture
def of_no_deposit(app, sandbox, begun, amara, tell_all):
    """40.00 by card whose deposit is gone, and the parked event that told of it."""
    deposit = begun(amara, "40.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False, verify=authorities.known())
    with app.app_context(), unit_of_work() as session:
        session.execute(text("DELETE FROM deposit WHERE id = :id"), {"id": deposit.id})
    tell_all()
    return stray_of(app, sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"])


@pytest.fixture
def parked(app):
    """How many events are parked, once the clock has looked, and whether the alarm about them stands."""

    def now():
        with app.app_context(), unit_of_work() as session:
            watch.look(session, utcnow())
            number = session.scalar(text("SELECT count(*) FROM webhook_event WHERE state = 'parked'"))
            return number, "work.parked" in {each.what for each in alarms.open_alarms(session)}

    return now


def test_the_parked_events_of_a_payment_are_settled_with_it_and_the_alarm_ends(
    app, of_no_deposit, amara, finance, parked, staff_page
):
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text(
                "UPDATE webhook_event SET state = 'ignored' WHERE payment_id IS DISTINCT FROM :id AND state = 'parked'"
            ),
            {"id": of_no_deposit.payment_id},
        )
        session.execute(text("UPDATE outbox SET done_at = now() WHERE parked_at IS NOT NULL"))
    assert parked()[1]
    with app.app_context():
        event_id = db.session.scalar(
            text("SELECT max(id) FROM webhook_event WHERE payment_id = :id"), {"id": of_no_deposit.payment_id}
        )
    stray_page = f"/admin/payments/suspense/{of_no_deposit.id}"
    assert staff_page("admin").get(f"/admin/webhooks/{event_id}").all(f"a[href='{stray_page}']")
    with app.app_context(), unit_of_work() as session:
        strays.credit(
            session, actor=finance, stray_id=of_no_deposit.id, user_id=amara.id, reason="It is theirs"
        )

    assert parked() == (0, False)
    with app.app_context():
        outcomes = db.session.scalars(
            text("SELECT outcome FROM webhook_event WHERE payment_id = :id"), {"id": of_no_deposit.payment_id}
        ).all()
    assert outcomes
    assert all(each.startswith("Staff have credited it.") for each in outcomes)


def test_an_event_about_a_payment_that_is_decided_already_is_not_parked(
    app, of_no_deposit, amara, finance, work_through
):
    with app.app_context(), unit_of_work() as session:
        suspense.send_back(
            session, actor=finance, stray_id=of_no_deposit.id, reason="Away with it", request_id=uuid4()
        )
    with app.app_context(), unit_of_work() as session:
        [event_id, *_] = session.scalars(
            text("SELECT id FROM webhook_event WHERE payment_id = :id"), {"id": of_no_deposit.payment_id}
        ).all()
        webhooks.replay(session, event_id=event_id)
    work_through()

    with app.app_context():
        told = db.session.execute(
            text("SELECT state, outcome FROM webhook_event WHERE id = :id"), {"id": event_id}
        ).one()
    assert (told.state, told.outcome.endswith("That was decided before.")) == ("applied", True)


def test_a_payment_for_a_suspended_account_waits_and_is_never_credited_beside_it(
    app, sandbox, begun, amara, house, tell_all, books, finance, page
):
    deposit = begun(amara, "40.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False, verify=authorities.known())
    suspend(app, amara)
    tell_all()
    assert books.entry_count(amara) == 0
    suspend(app, amara, since="NULL")
    for event in sandbox.deliveries():  # their provider sends them again, under other ids
        pass_on(page, event)
    with app.app_context(), unit_of_work() as session:
        for row in queries.inbox(session, provider="sandbox", size=2):
            webhooks.replay(session, event_id=row.id)
    tell_all()
    assert books.entry_count(amara) == 0
    assert house.changes == lying(40_00, fee=1_46)

    stray = stray_of(app, sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"])
    with app.app_context(), unit_of_work() as session:
        strays.credit(session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="Reinstated")
    tell_all()
    assert str(books.available(amara)) == "40.00 USD"
    assert house.changes == {("clearing.sandbox", "USD"): -40_00 + 1_46, ("fees", "USD"): -1_46}


def test_the_customer_is_told_that_somebody_looks_at_it(app, begun, sandbox, amara, page_of, tell_all):
    deposit = begun(amara, "25.00", "USDT")
    page = page_of(amara)
    httpx.post(deposit.url, data={"outcome": "wrong-network"}, trust_env=False, verify=authorities.known())
    httpx.post(deposit.url, data={"outcome": "confirm"}, trust_env=False, verify=authorities.known())
    tell_all()

    shown = page.get(f"/deposits/{deposit.id}").text
    assert "Being checked" in shown
    assert "we look at it by hand" in shown


def test_coins_over_another_network_wait_for_staff_and_can_be_credited_once(
    app, sandbox, begun, amara, house, tell_all, books, finance
):
    deposit = begun(amara, "25.00", "USDT")
    for outcome in ("wrong-network", "confirm"):
        httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
    tell_all()
    stray = stray_of(app, deposit.checkout_id)
    assert "bsc" in stray.reason
    with app.app_context(), unit_of_work() as session:
        strays.credit(session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="It is theirs")
    with pytest.raises(AlreadyDecided), app.app_context(), unit_of_work() as session:
        strays.credit(session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="Again")
    tell_all()

    assert books.available(amara, "USDT") == Money.of("25", "USDT")
    with app.app_context():
        assert (
            db.session.scalar(text("SELECT state FROM deposit WHERE id = :id"), {"id": deposit.id}) == "paid"
        )
    books.prove()


def test_coins_in_suspense_that_are_given_back_leave_nothing(app, sandbox, begun, amara, tell_all, books):
    with app.app_context():
        before = ledger.balance(db.session(), ledger.house("suspense"), asset("USDT"))
    deposit = begun(amara, "25.00", "USDT")
    for outcome in ("wrong-network", "confirm"):
        httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
    tell_all()
    for outcome in ("give-back", "given-back"):
        httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
    tell_all()

    assert stray_of(app, deposit.checkout_id).state == "returned"
    assert books.entry_count(amara) == 0
    with app.app_context():
        assert ledger.balance(db.session(), ledger.house("suspense"), asset("USDT")) == before
        assert (
            db.session.scalar(text("SELECT state FROM deposit WHERE id = :id"), {"id": deposit.id})
            == "returned"
        )


def test_coins_of_a_kind_that_we_do_not_keep_are_noted(app, sandbox, begun, amara, house, tell_all, finance):
    deposit = begun(amara, "0.01", "BTC")
    sandbox.invoices.send(deposit.checkout_id, Decimal(3), code="DOGE")
    sandbox.invoices.confirm(deposit.checkout_id)
    tell_all()

    stray = stray_of(app, deposit.checkout_id)
    assert (stray.amount, stray.words.split()[-1]) == (None, "DOGE")
    assert house.changes == {}
    with pytest.raises(NotFound), app.app_context(), unit_of_work() as session:
        strays.credit(session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="?")


def test_an_invoice_of_no_deposit_goes_into_suspense(app, sandbox, house, tell_all):
    invoice = sandbox.invoices.create(
        {"amount": "0.01", "currency": "BTC", "order_id": str(uuid4()), "url_callback": "http://127.0.0.1:9/"}
    )
    sandbox.invoices.send(invoice["id"], Decimal("0.01"))
    sandbox.invoices.confirm(invoice["id"])
    tell_all()

    assert stray_of(app, invoice["id"]).amount == 1_000_000
    assert house.changes == {
        ("suspense", "BTC"): 1_000_000,
        ("clearing.sandbox_crypto", "BTC"): -1_000_000 + COIN_FEE,
        ("fees", "BTC"): -COIN_FEE,
    }
