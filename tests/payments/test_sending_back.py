"""Money in suspense that is sent back: out of suspense once, through its provider once, and back if that fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
import stripe
from sqlalchemy import select, text

from advancia.core.db import db, unit_of_work
from advancia.core.errors import NotFound
from advancia.payments import queries
from advancia.payments.errors import AddressNeeded, AlreadyDecided, OnItsWayBack, RefundAlreadyAsked
from advancia.payments.models import Deposit, Refund
from advancia.payments.refunds import suspense
from advancia.payments.strays import services as strays
from advancia.providers.sandbox.faults import Fault
from tests.payments.test_any_order import House
from tests.support.books import besides_fees
from tests.support.payments import SECRET

TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
ETHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
IN_SUSPENSE = {("suspense", "USD"): 40_00, ("clearing.sandbox", "USD"): -40_00}


@pytest.fixture
def house(app, sandbox):
    return House(app)


@pytest.fixture
def for_suspended(house, sandbox, begun, amara, suspend, hear, stray_of):
    """A payment of 40.00 by card for an account that is suspended, and what lies in suspense of it."""
    deposit = begun(amara, "40.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False)
    suspend(amara)
    hear()
    intent = sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"]
    return deposit, stray_of(intent)


@pytest.fixture
def astray(house, begun, amara, hear, stray_of):
    """25 tether that came over another network."""
    deposit = begun(amara, "25.00", "USDT")
    for outcome in ("wrong-network", "confirm"):
        httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False)
    hear()
    return deposit, stray_of(deposit.checkout_id)


@pytest.fixture
def send_back(app, finance):
    def send(stray, **changes):
        usual = {"reason": "Case 12: the account stays closed", "request_id": uuid4()}
        with app.app_context(), unit_of_work() as session:
            return suspense.send_back(session, actor=finance, stray_id=stray.id, **{**usual, **changes})

    return send


@pytest.fixture
def at_provider(sandbox):
    def refunds_of(stray):
        return sandbox.cards.refunds.of("", {"payment_intent": stray.payment_id})["data"]

    return refunds_of


def refund_states(app, stray):
    with app.app_context():
        return db.session.scalars(
            select(Refund.state).where(Refund.stray_id == stray.id).order_by(Refund.created_at)
        ).all()


def deposit_state(app, deposit):
    with app.app_context():
        return db.session.scalar(select(Deposit.state).where(Deposit.id == deposit.id))


def test_a_card_payment_leaves_suspense_at_once_and_goes_back_through_its_provider(
    app,
    house,
    for_suspended,
    send_back,
    at_provider,
    stray_of,
    hear,
    work_through,
    books,
    amara,
    page_of,
    suspend,
):
    deposit, stray = for_suspended
    assert besides_fees(house.changes) == IN_SUSPENSE
    send_back(stray)
    assert besides_fees(house.changes) == {}
    assert at_provider(stray) == []
    work_through()
    hear()
    hear()

    assert [each["amount"] for each in at_provider(stray)] == [4000]
    assert refund_states(app, stray) == ["succeeded"]
    assert stray_of(stray.payment_id).state == "returned"
    assert deposit_state(app, deposit) == "returned"
    assert books.entry_count(amara) == 0
    suspend(amara, is_suspended=False)
    assert "given back to where it came from" in page_of(amara).get(f"/deposits/{deposit.id}").text
    books.prove()


def test_what_has_gone_back_is_never_credited_whatever_comes_again(
    app, sandbox, house, for_suspended, send_back, hear, work_through, suspend, amara, books, replay
):
    deposit, stray = for_suspended
    send_back(stray)
    work_through()
    hear()
    suspend(amara, is_suspended=False)
    replay()

    assert deposit_state(app, deposit) == "returned"
    assert books.entry_count(amara) == 0
    assert besides_fees(house.changes) == {}


def test_coins_go_to_an_address_on_the_network_that_they_came_over(
    app, sandbox, astray, send_back, stray_of, hear, work_through, books
):
    deposit, stray = astray
    assert stray.network == "bsc"
    with pytest.raises(AddressNeeded):
        send_back(stray)
    send_back(stray, address=ETHER)
    work_through()
    assert sandbox.invoices.of(deposit.checkout_id)["refund_address"] == ETHER
    assert refund_states(app, stray) == ["pending"]
    sandbox.invoices.become(deposit.checkout_id, "refund_paid")
    hear()

    assert refund_states(app, stray) == ["succeeded"]
    assert deposit_state(app, deposit) == "returned"
    books.prove()


def test_coins_of_no_deposit_go_back_as_well(app, sandbox, send_back, hear, stray_of, work_through, house):
    from decimal import Decimal

    invoice = sandbox.invoices.create(
        {"amount": "5", "currency": "USDT", "order_id": str(uuid4()), "url_callback": "http://127.0.0.1:9/"}
    )
    sandbox.invoices.send(invoice["id"], Decimal(5))
    sandbox.invoices.confirm(invoice["id"])
    hear()
    stray = stray_of(invoice["id"])
    send_back(stray, address=TRON)
    work_through()
    for ending, expected in (("refund_fail", "open"), ("refund_paid", "returned")):
        sandbox.invoices.become(invoice["id"], ending)
        hear()
        assert stray_of(invoice["id"]).state == expected

    assert refund_states(app, stray) == ["failed", "succeeded"]  # the provider has tried again by itself


def test_a_double_click_is_one_and_what_is_decided_stays_so(app, for_suspended, send_back, finance, amara):
    _, stray = for_suspended
    request_id = uuid4()
    assert send_back(stray, request_id=request_id) == send_back(stray, request_id=request_id)
    with pytest.raises(RefundAlreadyAsked):
        send_back(stray, request_id=request_id, address=TRON)
    with pytest.raises(AlreadyDecided):
        send_back(stray)
    with pytest.raises(AlreadyDecided), app.app_context(), unit_of_work() as session:
        strays.credit(session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="Too late")


def test_of_many_who_decide_at_once_one_does(app, house, for_suspended, finance, amara, suspend, books):
    """Half of them credit it and half send it back, and none sees what the others do."""
    _, stray = for_suspended
    suspend(amara, is_suspended=False)

    def decide(number):
        try:
            with app.app_context(), unit_of_work() as session:
                if number % 2:
                    strays.credit(
                        session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="It is theirs"
                    )
                else:
                    suspense.send_back(
                        session, actor=finance, stray_id=stray.id, reason="Away", request_id=uuid4()
                    )
        except AlreadyDecided:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(decide, range(16))) == 1
    assert besides_fees(house.changes).get(("suspense", "USD")) is None
    books.prove()


@pytest.mark.parametrize("fault", [Fault.SILENT_AFTER, Fault.ERROR_AFTER, Fault.UNAVAILABLE])
def test_no_answer_ends_in_one_return(
    app, sandbox, house, for_suspended, send_back, at_provider, hear, work, work_through, fault
):
    _, stray = for_suspended
    sandbox.fail_next(fault)
    send_back(stray)
    work()
    assert refund_states(app, stray) == ["asked"]
    work_through()
    hear()

    assert len(at_provider(stray)) == 1
    assert refund_states(app, stray) == ["succeeded"]
    assert besides_fees(house.changes) == {}


def test_one_that_fails_puts_the_money_back_into_suspense_where_staff_decide_anew(
    app, sandbox, house, for_suspended, send_back, at_provider, stray_of, hear, work_through, finance, amara, books,
    suspend,
):  # fmt: skip
    deposit, stray = for_suspended
    sandbox.cards.refunds.will("bounce")
    send_back(stray)
    work_through()
    sandbox.cards.refunds.bounce(at_provider(stray)[0]["id"])
    hear()
    hear()
    assert refund_states(app, stray) == ["failed"]
    assert (stray_of(stray.payment_id).state, deposit_state(app, deposit)) == ("open", "locked")
    assert besides_fees(house.changes) == IN_SUSPENSE
    suspend(amara, is_suspended=False)
    with app.app_context(), unit_of_work() as session:
        strays.credit(session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="Reinstated")

    assert str(books.available(amara)) == "40.00 USD"
    books.prove()


def test_a_part_that_went_back_at_the_providers_pages_leaves_the_rest_to_decide_about(
    app, sandbox, house, for_suspended, stray_of, hear, finance, amara, books, suspend
):
    _, stray = for_suspended
    sandbox.cards.refunds.create({"payment_intent": stray.payment_id, "amount": "1500"})
    hear()
    assert strays.left(stray_of(stray.payment_id)).minor == 25_00
    assert besides_fees(house.changes) == {("suspense", "USD"): 25_00, ("clearing.sandbox", "USD"): -25_00}
    suspend(amara, is_suspended=False)
    with app.app_context(), unit_of_work() as session:
        assert strays.in_suspense(session)[stray_money(stray).asset].minor >= 25_00
        strays.credit(
            session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="The rest is theirs"
        )

    assert str(books.available(amara)) == "25.00 USD"


def test_nothing_is_decided_while_a_part_is_on_its_way_back(
    app, sandbox, for_suspended, send_back, stray_of, hear
):
    _, stray = for_suspended
    sandbox.cards.refunds.will("settle")
    sandbox.cards.refunds.create({"payment_intent": stray.payment_id, "amount": "1500"})
    hear()

    with pytest.raises(OnItsWayBack):
        send_back(stray_of(stray.payment_id))


def test_what_the_books_do_not_keep_cannot_be_sent_back_from_here(app, sandbox, send_back, stray_of, hear):
    client = stripe.StripeClient(SECRET, base_addresses={"api": sandbox.url})
    payment = client.v1.payment_intents.create({"amount": 500, "currency": "eur", "confirm": True}).id
    hear()

    with pytest.raises(NotFound):
        send_back(stray_of(payment))


def test_the_trail_tells_who_sent_it_back_and_why(app, for_suspended, send_back, finance):
    from advancia import audit

    _, stray = for_suspended
    send_back(stray)
    with app.app_context():
        lines = audit.records_of(db.session(), kind="stray", id=stray.id, limit=5)
    assert ("stray.returned", "Case 12: the account stays closed") in {
        (line.action, line.reason) for line in lines
    }


def test_the_customer_is_told_that_it_goes_back(app, for_suspended, send_back, amara):
    deposit, stray = for_suspended
    send_back(stray)
    with app.app_context():
        assert queries.deposit_of(db.session(), amara.id, deposit.id).state_words == "On its way back"
        assert [each.id for each in queries.open_deposits_of(db.session(), amara.id)] == [deposit.id]
        told = db.session.scalars(
            text("SELECT payload->'facts'->>'subject' FROM outbox WHERE payload->>'user_id' = :id"),
            {"id": str(amara.id)},
        ).all()
    assert "40.00 USD goes back to where it came from" in told


def stray_money(stray):
    return strays.left(stray)
