"""Coins given back from here: whole, to an address, booked and sent once, and undone when they could not be sent."""

from __future__ import annotations

import itertools
from decimal import Decimal
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from advancia import ledger
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money, asset
from advancia.payments import invoices
from advancia.payments.errors import (
    AddressNeeded,
    OnlyWhole,
    RefundAlreadyAsked,
    RefundTooLarge,
)
from advancia.payments.models import Deposit, Refund
from advancia.payments.refunds import services as refunds
from advancia.providers import authorities
from advancia.providers.sandbox.faults import Fault
from tests.payments.test_any_order import COIN_FEE, House
from tests.support.payments import pass_on

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
WHOLE = 1_000_000


@pytest.fixture
def pay(begun, amara, hear):
    """Coins of Amara's that have arrived and are hers."""

    def coins(*outcomes, amount="0.01", code="BTC"):
        deposit = begun(amara, amount, code)
        for outcome in outcomes or ("exact", "confirm"):
            httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
        hear()
        return deposit

    return coins


@pytest.fixture
def ask(app, finance):
    """Ask for a refund as staff do."""

    def request(deposit, amount="0.01", address=ADDRESS, **changes):
        usual = {"deposit_id": deposit.id, "reason": "Asked for by phone", "request_id": uuid4()}
        with app.app_context(), unit_of_work() as session:
            return refunds.request_refund(
                session,
                actor=finance,
                amount=Money.of(amount, "BTC"),
                address=address,
                **{**usual, **changes},
            )

    return request


@pytest.fixture
def spend(app, amara):
    def to_treasury(amount):
        leg = ledger.Posting(ledger.available(amara.id), ledger.house("treasury"), Money.of(amount, "BTC"))
        with app.app_context(), unit_of_work() as session:
            ledger.post(session, reference=f"spend:{uuid4()}", kind="test", postings=[leg])

    return to_treasury


def state(app, refund_id):
    with app.app_context():
        return db.session.scalar(select(Refund.state).where(Refund.id == refund_id))


def refund_count(app, deposit):
    with app.app_context():
        return len(db.session.scalars(select(Refund).where(Refund.deposit_id == deposit.id)).all())


def owed(app, customer):
    with app.app_context():
        return ledger.balance(db.session(), ledger.receivable(customer.id), asset("BTC")).minor


def sent_to(sandbox, deposit):
    return sandbox.invoices.of(deposit.checkout_id).get("refund_address")


def end(sandbox, deposit, as_):
    """The time has come that the provider's refund ends."""
    sandbox.invoices.become(deposit.checkout_id, as_)


def test_the_coins_leave_the_wallet_at_once_and_go_to_the_address(
    app, amara, pay, ask, sandbox, hear, books, work_through
):
    deposit, house = pay(), House(app)
    refund_id = ask(deposit)
    assert books.available(amara, "BTC") == Money.of("0", "BTC")
    assert sent_to(sandbox, deposit) is None
    work_through()
    assert (sent_to(sandbox, deposit), state(app, refund_id)) == (ADDRESS, "pending")
    end(sandbox, deposit, "refund_paid")
    hear()
    hear()

    assert state(app, refund_id) == "succeeded"
    assert refund_count(app, deposit) == 1
    assert house.changes == {
        ("clearing.sandbox_crypto", "BTC"): WHOLE - COIN_FEE,
        ("fees", "BTC"): COIN_FEE,
    }
    books.prove()


def test_the_payer_bears_the_networks_cost_so_that_the_books_know_what_left(
    sandbox, pay, ask, work_through, monkeypatch
):
    deposit, asked = pay(), []
    monkeypatch.setattr(sandbox.invoices, "_check_refund", asked.append)
    ask(deposit)
    work_through()

    assert asked == [{"uuid": deposit.checkout_id, "address": ADDRESS, "is_subtract": False}]


def test_one_that_fails_is_undone_by_its_mirror_and_may_be_tried_again(
    app, amara, pay, ask, sandbox, hear, books, work_through, chase
):
    deposit, house = pay(), House(app)
    for _ in range(3):
        refund_id = ask(deposit)
        work_through()
        end(sandbox, deposit, "refund_fail")
        hear()
        chase()  # the news of a second failure is the same to the letter as that of the first
        assert state(app, refund_id) == "failed"
        assert books.available(amara, "BTC") == Money.of("0.01", "BTC")
        assert house.changes == {}
    refund_id = ask(deposit)
    work_through()
    end(sandbox, deposit, "refund_paid")
    hear()

    assert state(app, refund_id) == "succeeded"
    assert books.available(amara, "BTC") == Money.of("0", "BTC")
    books.prove()


def test_a_new_try_is_not_taken_for_the_one_that_failed(
    app, amara, pay, ask, sandbox, hear, work_through, books
):
    deposit = pay()
    ask(deposit)
    work_through()
    end(sandbox, deposit, "refund_fail")
    hear()
    again = ask(deposit)  # booked and not sent yet: all that the invoice tells is how the first one ended
    with app.app_context(), unit_of_work() as session:
        invoice = app.extensions["crypto_gateway"].invoice(deposit.checkout_id)
        assert invoices.settle(session, invoice=invoice) == "was credited before"
    assert state(app, again) == "asked"
    work_through()

    assert state(app, again) == "pending"
    assert books.available(amara, "BTC") == Money.of("0", "BTC")


@pytest.mark.parametrize("fault", [Fault.SILENT_AFTER, Fault.ERROR_AFTER, Fault.UNAVAILABLE])
@pytest.mark.parametrize("ending", ["refund_paid", "refund_fail"])
def test_no_answer_ends_in_one_refund(
    app, sandbox, amara, pay, ask, hear, books, work, work_through, fault, ending
):
    deposit = pay()
    sandbox.fail_next(fault)
    refund_id = ask(deposit)
    work()
    assert state(app, refund_id) == "asked"
    assert books.available(amara, "BTC") == Money.of("0", "BTC")
    work_through()
    assert state(app, refund_id) == "pending"
    told = [each.type for each in sandbox.deliveries()].count("payment.refund_process")
    end(sandbox, deposit, ending)
    hear()

    assert told == 1
    assert refund_count(app, deposit) == 1
    paid = ending == "refund_paid"
    assert state(app, refund_id) == ("succeeded" if paid else "failed")
    assert books.available(amara, "BTC") == Money.of("0" if paid else "0.01", "BTC")


def test_its_events_may_be_quicker_than_its_answer(app, sandbox, amara, pay, ask, hear, books, work):
    deposit = pay()
    sandbox.fail_next(Fault.ERROR_AFTER)
    refund_id = ask(deposit)
    work()
    end(sandbox, deposit, "refund_paid")
    hear()

    assert (state(app, refund_id), refund_count(app, deposit)) == ("succeeded", 1)
    assert books.available(amara, "BTC") == Money.of("0", "BTC")


def test_a_refusal_gives_the_customer_their_coins_back(app, sandbox, amara, pay, ask, books, work_through):
    deposit, house = pay(), House(app)
    sandbox.invoices.become(deposit.checkout_id, "system_fail")
    refund_id = ask(deposit)
    work_through()

    assert state(app, refund_id) == "failed"
    assert books.available(amara, "BTC") == Money.of("0.01", "BTC")
    assert house.changes == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_its_events_end_the_same_in_every_order_and_twice(
    app, page, sandbox, amara, pay, ask, books, work_through, order
):
    deposit, house = pay(), House(app)
    refund_id = ask(deposit)
    work_through()
    end(sandbox, deposit, "refund_paid")
    events = sandbox.deliveries()[-3:]  # paid, refund_process, refund_paid
    for place in [*order, *order]:
        assert pass_on(page, events[place]).status == 200
    work_through()

    assert (state(app, refund_id), refund_count(app, deposit)) == ("succeeded", 1)
    assert books.available(amara, "BTC") == Money.of("0", "BTC")
    assert house.changes == {
        ("clearing.sandbox_crypto", "BTC"): WHOLE - COIN_FEE,
        ("fees", "BTC"): COIN_FEE,
    }


def test_somebody_who_was_quicker_on_the_providers_pages_is_the_same_refund(
    app, sandbox, amara, pay, ask, books, hear, work_through
):
    deposit = pay()
    refund_id = ask(deposit)
    sandbox.invoices.become(deposit.checkout_id, "refund_process")
    work_through()
    end(sandbox, deposit, "refund_paid")
    hear()

    assert (state(app, refund_id), refund_count(app, deposit)) == ("succeeded", 1)
    assert books.available(amara, "BTC") == Money.of("0", "BTC")


def test_one_whose_events_were_lost_is_asked_about(app, sandbox, pay, ask, chase, work_through):
    deposit = pay()
    refund_id = ask(deposit)
    work_through()
    end(sandbox, deposit, "refund_paid")
    chase()

    assert state(app, refund_id) == "succeeded"


@pytest.mark.parametrize("outcomes", [("more", "confirm"), ("less", "confirm", "expire")])
def test_what_came_over_or_under_is_given_back_as_it_came(
    app, sandbox, amara, pay, ask, books, work_through, outcomes
):
    deposit = pay(*outcomes)
    with app.app_context():
        credited = db.session.scalar(select(Deposit.credited).where(Deposit.id == deposit.id))
    refund_id = ask(deposit, str(Decimal(credited) / 100_000_000))
    work_through()

    assert state(app, refund_id) == "pending"
    assert books.available(amara, "BTC") == Money.of("0", "BTC")


def test_coins_go_back_whole_once_and_to_an_address_that_was_given(pay, ask):
    deposit, request_id = pay(), uuid4()
    with pytest.raises(OnlyWhole):
        ask(deposit, "0.005")
    with pytest.raises(AddressNeeded):
        ask(deposit, address=None)
    assert ask(deposit, request_id=request_id) == ask(deposit, request_id=request_id)
    with pytest.raises(RefundAlreadyAsked):
        ask(deposit, request_id=request_id, address="1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
    with pytest.raises(RefundTooLarge):
        ask(deposit)


def test_spent_coins_are_refused_or_become_a_debt_that_a_failure_undoes(
    app, sandbox, amara, pay, ask, spend, hear, books, work_through
):
    deposit = pay()
    spend("0.004")
    with pytest.raises(ledger.InsufficientFunds):
        ask(deposit)
    ask(deposit, allow_debt=True)
    assert owed(app, amara) == -400_000
    work_through()
    end(sandbox, deposit, "refund_fail")
    hear()

    assert owed(app, amara) == 0
    assert books.available(amara, "BTC") == Money.of("0.006", "BTC")
    books.prove()


def test_the_customer_sees_where_their_coins_are(pay, ask, page_of, amara, work_through):
    deposit = pay()
    ask(deposit)
    work_through()

    page = page_of(amara)

    shown = page.get(f"/deposits/{deposit.id}").text
    assert "On its way back" in shown
    assert "goes back" in shown
    assert "olled back" not in shown
    history = page.get("/history").text
    assert "Refunded" in history
    assert "Rolled back: money added" not in history
