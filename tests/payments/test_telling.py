"""What customers are told of their payments, by page and by mail: each state in true words, and none of them lost."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.payments.refunds import services as refunds
from advancia.providers import authorities
from advancia.providers.cryptomus import network_words
from tests.support.payments import choose
from tests.support.recovery import mails_to


@pytest.fixture
def amara_page(page_of, amara):
    return page_of(amara)


@pytest.fixture
def act(hear):
    """Let something happen on the provider's page, and let us hear of it."""

    def happen(deposit, *outcomes):
        for outcome in outcomes:
            httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
            hear()

    return happen


@pytest.fixture
def subjects(app, amara):
    """Of all mails that she has got."""

    def read():
        return [mail["Subject"] for mail in mails_to(app.extensions["settings"], amara.email)]

    return read


def shown(page, deposit, query=""):
    return page.get(f"/deposits/{deposit.id}{query}")


def test_who_has_sent_too_little_is_told_what_is_missing_and_led_back_to_the_page(
    amara, amara_page, begun, act, hear, subjects, books
):
    deposit = begun(amara, "0.02", "BTC")
    act(deposit, "less", "confirm")
    hear()
    answer = shown(amara_page, deposit)

    assert "0.00800000 BTC has arrived, and 0.01200000 BTC is missing. Send the rest" in answer.text
    assert "A part is missing" in answer.one("#deposit-tag").text
    assert "Open until" in answer.text
    assert answer.one("[aria-current=step]").text.strip() == "The rest has arrived"
    assert answer.one("button.primary").text.strip() == "Go to payment"
    assert amara_page.submit_form(answer).location == deposit.url
    assert subjects().count("A part of your payment of 0.02000000 BTC is missing") == 1
    assert "0.01200000 BTC is missing" in amara_page.get("/wallet").text

    act(deposit, "rest", "confirm")
    assert "Money added" in shown(amara_page, deposit).one("h1").text
    assert str(books.available(amara, "BTC")) == "0.02000000 BTC"


def test_a_payment_that_is_held_and_given_back_is_told_at_every_turn(
    amara, amara_page, begun, act, hear, subjects
):
    deposit = begun(amara, "0.01", "BTC")
    act(deposit, "exact", "lock")
    hear()
    assert "Being checked" in amara_page.get("/wallet").one(f"#deposit-{deposit.id}").text
    assert subjects().count("Your payment of 0.01000000 BTC is being checked") == 1

    act(deposit, "give-back")
    assert "On its way back" in shown(amara_page, deposit).one("#deposit-tag").text
    assert "On its way back" in amara_page.get("/wallet").one(f"#deposit-{deposit.id}").text
    act(deposit, "given-back")
    hear()

    answer = shown(amara_page, deposit)
    assert answer.one("h1").text == "Given back"
    assert "Start again" not in answer.text
    assert subjects().count("0.01000000 BTC goes back to where it came from") == 1


def test_what_has_arrived_stands_first_and_nothing_disappears_behind_the_limit(amara, amara_page, begun, act):
    held = begun(amara, "0.01", "BTC")
    waiting = [begun(amara, f"{amount}.00") for amount in (11, 12, 13)]
    act(held, "wrong-network", "confirm")

    wallet = amara_page.get("/wallet")
    lines = wallet.all(".payments > li")
    assert lines[0]["id"] == f"deposit-{held.id}"
    assert "13.00 USD by card" in lines[1].text
    assert lines[-1].text.strip() == "And 1 more"
    everything = amara_page.get(wallet.one(".payments > li:last-child a")["href"])
    assert {line["id"] for line in everything.all(".payments > li")} == {
        f"deposit-{each.id}" for each in (held, *waiting)
    }


def test_who_comes_back_having_paid_is_not_invited_to_pay_again(sandbox, amara, amara_page, books, app):
    opened = amara_page.submit("/deposits/new", amount="30.00").location
    with app.app_context():
        deposit = db.session.execute(
            text("SELECT id, checkout_id FROM deposit WHERE user_id = :id"), {"id": amara.id}
        ).one()
    session = sandbox.cards.checkouts.page(deposit.checkout_id)
    assert session["success_url"] == session["cancel_url"] + "?paid=1"
    choose(opened, "pay")

    after = shown(amara_page, deposit, "?paid=1")
    assert "You have paid; we wait for the confirmation" in after.text
    assert not after.all("main form")
    assert "?paid=1" in after.one("#deposit-state")["hx-get"]
    assert "Go to payment" in shown(amara_page, deposit).text
    assert books.entry_count(amara) == 0  # the address is nobody's word for it


def test_a_payment_that_fails_days_later_is_told_by_mail_once(
    sandbox, amara, amara_page, begun, hear, subjects
):
    deposit = begun(amara, "41.00")
    choose(deposit.url, "later-fail")
    sandbox.cards.checkouts.happen(deposit.checkout_id, "bounce")
    hear()
    hear()

    assert subjects().count("Your payment of 41.00 USD did not go through") == 1
    assert shown(amara_page, deposit).one("h1").text == "Not paid"


def test_the_mail_about_more_than_was_asked_for_says_both(app, amara, begun, act):
    act(begun(amara, "0.01", "BTC"), "more", "confirm")

    [mail] = mails_to(app.extensions["settings"], amara.email)
    body = mail.get_body(("plain",)).get_content()
    assert "It is not what was asked for" in body
    assert "0.01000000 BTC" in body
    assert "0.01500000 BTC" in body


def test_the_page_of_a_payment_in_dispute_does_not_call_it_paid_in(sandbox, amara, amara_page, begun, hear):
    deposit = begun(amara, "80.00")
    choose(deposit.url, "pay")
    hear()
    receipt = shown(amara_page, deposit)
    assert (receipt.one("h1").text, receipt.one("h2").text) == ("Money added", "Receipt")
    assert f"deposit:{deposit.id}" in receipt.text
    sandbox.cards.disputes.open(sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"])
    hear()

    held = shown(amara_page, deposit)
    assert held.one("h1").text == "Held by a dispute"
    assert held.one("[aria-current=step]").text.strip() == "Held by a dispute"
    assert "Paid in" not in held.text


def test_the_page_of_a_payment_that_was_rolled_back_does_not_call_it_paid_in(
    app, amara, amara_page, begun, hear
):
    deposit = begun(amara, "80.00")
    choose(deposit.url, "pay")
    hear()
    with app.app_context(), unit_of_work() as session:
        ledger.reverse(
            session, transaction_reference=f"deposit:{deposit.id}", reference=f"rollback:{deposit.id}",
            reason="Credited to the wrong account", kind="reversal",
        )  # fmt: skip

    answer = shown(amara_page, deposit)
    assert answer.one("h1").text == "Rolled back"
    assert answer.one(f"main .note a[href='/history/rollback:{deposit.id}']")
    assert "Paid in" not in answer.text


def test_a_lost_dispute_of_money_that_was_spent_tells_of_the_debt(
    app, sandbox, amara, amara_page, begun, hear, subjects
):
    deposit = begun(amara, "80.00")
    choose(deposit.url, "pay")
    hear()
    with app.app_context(), unit_of_work() as session:
        spent = ledger.Posting(ledger.available(amara.id), ledger.house("treasury"), Money.of("60.00", "USD"))
        ledger.post(session, reference=f"spend:{amara.id}", kind="test", postings=[spent])
    dispute = sandbox.cards.disputes.open(sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"])
    hear()
    sandbox.cards.disputes.close(dispute["id"], won=False)
    hear()

    assert subjects().count("You owe us 60.00 USD") == 1
    answer = shown(amara_page, deposit)
    assert answer.one("h1").text == "Taken back by your bank"
    assert "60.00 USD was not in your wallet any more, so you owe it to us" in answer.text


def test_a_refund_of_money_that_was_spent_says_plainly_what_is_owed(
    app, amara, amara_page, begun, hear, finance, work_through
):
    deposit = begun(amara, "41.00")
    choose(deposit.url, "pay")
    hear()
    with app.app_context(), unit_of_work() as session:
        spent = ledger.Posting(ledger.available(amara.id), ledger.house("treasury"), Money.of("36.84", "USD"))
        ledger.post(session, reference=f"spend:{amara.id}", kind="test", postings=[spent])
    with app.app_context(), unit_of_work() as session:
        refund_id = refunds.request_refund(
            session, actor=finance, deposit_id=deposit.id, amount=Money.of("41.00", "USD"), reason="Asked",
            request_id=uuid4(), allow_debt=True,
        )  # fmt: skip
    work_through()
    words = "Of 41.00 USD, 4.16 USD came from your wallet; you owe us the other 36.84 USD."

    mail = mails_to(app.extensions["settings"], amara.email)[-1].get_body(("plain",)).get_content()
    assert words in " ".join(mail.split())
    assert "oins" not in mail
    assert words in shown(amara_page, deposit).text
    receipt = amara_page.get(f"/history/refund:{refund_id}")
    assert words in receipt.text
    assert receipt.one(f"main a[href='/deposits/{deposit.id}']").text == "See the payment"
    debt = amara_page.get("/wallet").one("#debt-USD")
    assert "You owe us 36.84 USD" in debt.text
    assert "write to you about how to settle it" in debt.text


@pytest.mark.parametrize(
    ("code", "words"),
    [("bsc", "BNB Smart Chain (BEP-20)"), ("TRON", "Tron (TRC-20)"), ("newchain", "newchain")],
)
def test_networks_are_called_by_the_names_that_people_know(code, words):
    assert network_words(code) == words
