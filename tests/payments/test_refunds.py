"""Refunds: capped, booked once, sent once, and undone when the provider says no."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, text

from advancia import ledger
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money, asset
from advancia.payments import queries
from advancia.payments.errors import (
    NothingToRefund,
    RefundAlreadyAsked,
    RefundTooLarge,
)
from advancia.payments.models import Refund
from advancia.payments.refunds import services as refunds
from advancia.providers.sandbox.faults import Fault
from tests.support.payments import pass_on
from tests.support.people import new_staff


@pytest.fixture
def finance(app):
    return Actor(new_staff(app, "finance").id, "finance", "10.0.0.1", None)


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def paid(sandbox, page, begun, amara, work_through):
    """A deposit of 100.00 that has been credited."""
    deposit = begun(amara, "100.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False)
    for event in sandbox.deliveries():
        pass_on(page, event)
    work_through()
    return deposit


@pytest.fixture
def ask(app, finance, paid):
    """Ask for a refund as staff do."""

    def request(amount, **changes):
        usual = {"deposit_id": paid.id, "reason": "Asked for by phone", "request_id": uuid4()}
        with app.app_context(), unit_of_work() as session:
            return refunds.request_refund(
                session, actor=finance, amount=Money.of(amount, "USD"), **{**usual, **changes}
            )

    return request


@pytest.fixture
def at_provider(sandbox, paid):
    """The refunds that the provider has made."""

    def of():
        intent = sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"]
        return sandbox.cards.refunds.of("", {"payment_intent": intent})["data"]

    return of


def state(app, refund_id):
    with app.app_context():
        return db.session.scalar(select(Refund.state).where(Refund.id == refund_id))


def owed(app, customer):
    with app.app_context():
        return ledger.balance(db.session(), ledger.receivable(customer.id), asset("USD"))


def test_a_refund_takes_the_money_at_once_and_gives_it_back_through_the_provider(
    app, amara, paid, ask, at_provider, books, work_through
):
    refund_id = ask("30.00")
    assert str(books.available(amara)) == "70.00 USD"
    assert at_provider() == []
    work_through()

    assert [each["amount"] for each in at_provider()] == [3000]
    assert state(app, refund_id) == "succeeded"
    books.prove()


def test_the_customer_sees_it_on_the_deposit_and_in_the_history(amara, paid, ask, page_of, work_through):
    ask("30.00")
    work_through()
    page = page_of(amara)

    shown = page.get(f"/deposits/{paid.id}").text
    assert "Given back" in shown
    assert "The rest is in your wallet" in shown
    assert "30.00" in shown
    assert "Refunded" in page.get("/history").text


@pytest.mark.parametrize(
    ("won", "words"),
    [
        (None, "We hold the amount until it is decided"),
        (True, "the payment stands"),
        (False, "taken this payment back for good"),
    ],
)
def test_the_customer_is_told_what_their_bank_does(
    page, sandbox, amara, paid, page_of, work_through, won, words
):
    seen = len(sandbox.deliveries())
    dispute = sandbox.cards.disputes.open(sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"])
    if won is not None:
        sandbox.cards.disputes.close(dispute["id"], won=won)
    for event in sandbox.deliveries()[seen:]:
        pass_on(page, event)
    work_through()

    shown = page_of(amara).get(f"/deposits/{paid.id}").text
    assert words in shown
    assert "You can use it now" not in shown


def test_a_double_click_is_one_refund(app, amara, ask, at_provider, books, work_through):
    request_id = uuid4()

    assert ask("30.00", request_id=request_id) == ask("30.00", request_id=request_id)
    with pytest.raises(RefundAlreadyAsked):
        ask("40.00", request_id=request_id)
    work_through()
    assert len(at_provider()) == 1
    assert str(books.available(amara)) == "70.00 USD"


def test_never_more_than_was_paid_also_in_parts(app, amara, ask, books):
    ask("60.00")
    with pytest.raises(RefundTooLarge) as refusal:
        ask("40.01")
    assert "At most 40.00 USD" in str(refusal.value)
    ask("40.00")
    with pytest.raises(RefundTooLarge):
        ask("0.01")
    assert str(books.available(amara)) == "0.00 USD"


def test_events_at_once_of_one_refund_made_elsewhere_are_one_refund(app, sandbox, paid, amara, books):
    intent = sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"]
    sandbox.cards.refunds.create({"payment_intent": intent, "amount": "3000"})
    (told,) = app.extensions["gateway"].refunds_of(intent)

    def hear(_number):
        with app.app_context(), unit_of_work() as session:
            return refunds.settle(session, provider="sandbox", told=told)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hear, range(16)))

    assert books.available(amara, "USD") == Money.of("70.00", "USD")
    books.prove()


def test_twenty_at_once_stay_below_what_was_paid(amara, ask, books):
    def one(_):
        try:
            return ask("15.00")
        except RefundTooLarge:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [each for each in pool.map(one, range(20)) if each]

    assert len(made) == 6
    assert str(books.available(amara)) == "10.00 USD"


def test_spent_money_is_refused_or_becomes_a_debt_if_somebody_says_so(app, amara, ask, books, work_through):
    with app.app_context(), unit_of_work() as session:
        spend = ledger.Posting(ledger.available(amara.id), ledger.house("treasury"), Money.of("80.00", "USD"))
        ledger.post(session, reference=f"spend:{amara.id}", kind="test", postings=[spend])

    with pytest.raises(ledger.InsufficientFunds):
        ask("50.00")
    ask("50.00", allow_debt=True)
    assert str(books.available(amara)) == "0.00 USD"
    assert owed(app, amara) == Money.of("-30.00", "USD")


def test_what_is_disputed_cannot_be_refunded_as_well(app, page, sandbox, paid, ask, work_through):
    intent = sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"]
    seen = len(sandbox.deliveries())
    sandbox.cards.disputes.open(intent, amount=8000)
    for event in sandbox.deliveries()[seen:]:
        pass_on(page, event)
    work_through()

    with pytest.raises(RefundTooLarge) as refusal:
        ask("20.01")
    assert refusal.value.left == Money.of("20.00", "USD")


def test_only_what_has_been_paid(amara, begun, ask):
    with pytest.raises(NothingToRefund):
        ask("1.00", deposit_id=begun(amara, "5.00").id)


@pytest.mark.parametrize("fault", [Fault.SILENT_AFTER, Fault.ERROR_AFTER, Fault.UNAVAILABLE])
def test_no_answer_ends_in_one_refund(
    app, sandbox, amara, ask, at_provider, books, work, work_through, fault
):
    sandbox.fail_next(fault)
    refund_id = ask("30.00")
    work()
    assert state(app, refund_id) == "asked"
    assert str(books.available(amara)) == "70.00 USD"
    work_through()

    assert len(at_provider()) == 1
    assert state(app, refund_id) == "succeeded"
    assert str(books.available(amara)) == "70.00 USD"


def test_its_event_may_be_quicker_than_its_answer(
    app, page, sandbox, amara, ask, at_provider, books, work, work_through
):
    sandbox.fail_next(Fault.ERROR_AFTER)
    seen = len(sandbox.deliveries())
    refund_id = ask("30.00")
    work()
    for event in sandbox.deliveries()[seen:]:
        pass_on(page, event)
    work_through()

    assert state(app, refund_id) == "succeeded"
    assert len(at_provider()) == 1
    assert str(books.available(amara)) == "70.00 USD"


def test_a_refusal_gives_the_customer_their_money_back(app, sandbox, paid, amara, ask, books, work_through):
    intent = sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"]
    refund_id = ask("30.00")
    sandbox.cards.refunds.create({"payment_intent": intent})  # somebody was quicker on the provider's pages
    work_through()

    assert state(app, refund_id) == "failed"
    assert str(books.available(amara)) == "100.00 USD"


def test_one_that_fails_later_is_undone_once(
    app, page, sandbox, amara, ask, at_provider, books, work_through
):
    sandbox.cards.refunds.will("bounce")
    refund_id = ask("30.00")
    work_through()
    assert state(app, refund_id) == "pending"
    seen = len(sandbox.deliveries())
    sandbox.cards.refunds.bounce(at_provider()[0]["id"])
    for event in sandbox.deliveries()[seen:] * 2:
        pass_on(page, event)
    work_through()

    assert state(app, refund_id) == "failed"
    assert str(books.available(amara)) == "100.00 USD"
    assert str(refundable(app, paid_id=refund_id)) == "100.00 USD"
    books.prove()


def refundable(app, *, paid_id):
    with app.app_context():
        from advancia.payments.models import Deposit

        refund = db.session.get(Refund, paid_id)
        return refunds.refundable(db.session(), db.session.get(Deposit, refund.deposit_id))


def test_one_whose_events_were_lost_is_asked_about(app, sandbox, ask, at_provider, work, work_through):
    from advancia.core import outbox
    from advancia.core.jobs import Job

    sandbox.cards.refunds.will("settle")
    refund_id = ask("30.00")
    work_through()
    sandbox.cards.refunds.settle(at_provider()[0]["id"])
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE refund SET created_at = now() - interval '1 hour' WHERE id = :id"), {"id": refund_id}
        )
        assert queries.unsettled_payments(session, limit=1000)
        outbox.put(session, Job.CHASE_PAYMENTS)
    work()

    assert state(app, refund_id) == "succeeded"


def test_a_refund_says_who_asked_for_it_and_why(app, ask):
    from advancia import audit

    refund_id = ask("30.00")
    with app.app_context():
        [line] = audit.records_of(db.session(), kind="refund", id=refund_id, limit=5)
    assert (line.action, line.reason) == ("refund.requested", "Asked for by phone")


def test_mails_tell_of_refunds_and_disputes(app, page, sandbox, amara, paid, ask, work_through):
    from email import message_from_bytes
    from email.header import decode_header, make_header

    ask("30.00")
    work_through()
    seen = len(sandbox.deliveries())
    intent = sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"]
    dispute = sandbox.cards.disputes.open(intent, amount=7000)
    for event in sandbox.deliveries()[seen:]:
        pass_on(page, event)
    work_through()
    seen = len(sandbox.deliveries())
    sandbox.cards.disputes.close(dispute["id"], won=False)
    for event in sandbox.deliveries()[seen:] * 2:
        pass_on(page, event)
    work_through()

    files = (app.extensions["settings"].var / "mail").glob("*.eml")
    mails = [message_from_bytes(file.read_bytes()) for file in files]
    subjects = [
        str(make_header(decode_header(mail["Subject"]))) for mail in mails if mail["To"] == amara.email
    ]
    assert subjects.count("30.00 USD goes back to you") == 1
    assert subjects.count("Your bank has taken back a payment of 70.00 USD") == 1
    assert subjects.count("Your bank has taken 70.00 USD back for good") == 1
