"""The simulated provider's page: what the customer chooses, and what the merchant hears of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from bs4 import BeautifulSoup

CANCEL, SUCCESS = "http://shop.example/left", "http://shop.example/paid"


def test_the_page_names_amount_purpose_and_merchant_and_that_it_is_a_simulation(shop):
    page = shop.pages.get(shop.open_checkout().url)
    text = BeautifulSoup(page.text, "html.parser").get_text(" ")

    assert page.status_code == 200
    for words in ("12.34 USD", "Add money to your wallet", "Advancia", "Simulation"):
        assert words in text
    assert page.headers["X-Simulation"]


def test_the_page_offers_each_outcome_in_a_form_to_itself(shop):
    page = shop.pages.get(shop.open_checkout().url)
    form = BeautifulSoup(page.text, "html.parser").form

    assert (form["method"], form.get("action", "")) == ("post", "")
    assert {button["value"] for button in form.select("button[name=outcome]")} == {
        "pay",
        "later",
        "later-fail",
        "decline",
        "cancel",
    }


def test_the_page_runs_no_script_and_its_form_may_lead_back_to_the_merchant(shop):
    page = shop.pages.get(shop.open_checkout().url)
    policy = page.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert policy.endswith("form-action 'self' http://shop.example")
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_the_products_static_files_are_served_with_the_same_headers(shop):
    page = shop.pages.get(shop.open_checkout().url)
    sheets = [link["href"] for link in BeautifulSoup(page.text, "html.parser").select("link[rel=stylesheet]")]

    assert sheets
    for sheet in sheets:
        answer = shop.pages.get(f"{shop.server.url}{sheet}")
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")


def test_paying_leads_back_and_the_merchant_hears_it(shop):
    checkout = shop.open_checkout()
    answer = shop.choose(checkout, "pay")
    [event] = shop.events(1)

    assert (answer.status_code, answer.headers["Location"]) == (303, SUCCESS)
    assert (event.type, event.object_id) == ("checkout.session.completed", checkout.id)
    assert event.deposit_id == checkout.deposit_id
    assert shop.gateway.retrieve_checkout(checkout.id).is_paid


def test_ten_clicks_on_pay_are_one_payment(shop, until):
    checkout = shop.open_checkout()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: shop.choose(checkout, "pay"), range(10)))
    until(shop.settled)

    assert {answer.headers["Location"] for answer in answers} == {SUCCESS}
    assert [delivery.type for delivery in shop.server.deliveries()] == ["checkout.session.completed"]


def test_the_page_of_a_paid_checkout_offers_nothing_to_pay(shop):
    checkout = shop.open_checkout()
    shop.choose(checkout, "pay")
    page = shop.pages.get(checkout.url)

    assert "Already done" in page.text
    for outcome in ("pay", "later", "decline", "cancel"):
        assert f'value="{outcome}"' not in page.text


def test_a_decline_charges_nothing_says_why_and_leaves_the_checkout_open(shop):
    checkout = shop.open_checkout()
    page = shop.pages.get(shop.server.url + shop.choose(checkout, "decline").headers["Location"])
    [event] = shop.events(1)
    declined = shop.gateway.retrieve_checkout(checkout.id)

    assert "Your card was declined." in page.text
    assert CANCEL in page.text
    assert (event.type, event.object_type) == ("payment_intent.payment_failed", "payment_intent")
    assert event.deposit_id == checkout.deposit_id
    assert declined.failed
    assert declined.is_open
    assert declined.failure_words == "Your card was declined."
    assert event.object_id == declined.payment_intent


def test_after_a_decline_another_try_may_succeed(shop):
    checkout = shop.open_checkout()
    shop.choose(checkout, "decline")
    shop.choose(checkout, "pay")
    paid = shop.gateway.retrieve_checkout(checkout.id)

    assert paid.is_paid
    assert not paid.failed
    assert paid.failure_words is None


def test_leaving_charges_nothing_and_tells_the_merchant_nothing(shop):
    checkout = shop.open_checkout()
    answer = shop.choose(checkout, "cancel")

    assert (answer.status_code, answer.headers["Location"]) == (303, CANCEL)
    assert shop.gateway.retrieve_checkout(checkout.id) == checkout
    assert shop.server.deliveries() == []


def test_a_payment_that_takes_its_time_is_complete_at_once_and_paid_later(shop):
    checkout = shop.open_checkout()
    assert shop.choose(checkout, "later").headers["Location"] == SUCCESS
    shop.events(1)
    under_way = shop.gateway.retrieve_checkout(checkout.id)
    shop.move_clock(seconds=16)
    completed, succeeded = shop.events(2)

    assert (under_way.status, under_way.is_paid, under_way.failed) == ("complete", False, False)
    assert completed.object["payment_status"] == "unpaid"
    assert succeeded.type == "checkout.session.async_payment_succeeded"
    assert succeeded.object["payment_status"] == "paid"
    assert shop.gateway.retrieve_checkout(checkout.id).is_paid


def test_a_payment_that_takes_its_time_may_fail_for_good(shop):
    checkout = shop.open_checkout()
    shop.choose(checkout, "later-fail")
    shop.move_clock(seconds=16)
    kinds = {event.type for event in shop.events(3)}
    failed = shop.gateway.retrieve_checkout(checkout.id)

    assert "checkout.session.async_payment_failed" in kinds
    assert (failed.status, failed.failed, failed.is_open) == ("complete", True, False)


def test_clicking_again_does_not_start_the_waiting_time_anew(shop):
    checkout = shop.open_checkout()
    shop.choose(checkout, "later")
    shop.events(1)
    shop.move_clock(seconds=10)
    shop.choose(checkout, "later")
    shop.choose(checkout, "pay")
    shop.move_clock(seconds=6)
    shop.events(2)

    assert [delivery.type for delivery in shop.server.deliveries()] == [
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
    ]


def test_a_checkout_expires_by_itself(shop):
    checkout = shop.open_checkout()
    shop.move_clock(minutes=61)
    [event] = shop.events(1)

    assert (event.type, event.object_id) == ("checkout.session.expired", checkout.id)
    assert shop.gateway.retrieve_checkout(checkout.id).status == "expired"


@pytest.mark.parametrize("outcome", ["pay", "later", "decline"])
def test_nothing_can_be_paid_on_an_expired_page_and_it_says_so(shop, outcome):
    checkout = shop.open_checkout()
    shop.clock.move(minutes=61)  # the time has run out, whether or not the provider has noticed yet
    answer = shop.choose(checkout, outcome)

    assert answer.status_code == 410
    assert "This payment page has expired" in answer.text
    assert "Nothing was charged" in answer.text
    assert shop.pages.get(checkout.url).status_code == 410
    assert [event.type for event in shop.events(1)] == ["checkout.session.expired"]


def test_an_unknown_page_and_an_unknown_button_are_plain_refusals(shop):
    checkout = shop.open_checkout()

    assert shop.pages.get(f"{shop.server.url}/checkout/cs_test_nowhere").status_code == 404
    assert shop.choose(checkout, "steal").status_code == 422
    assert shop.gateway.retrieve_checkout(checkout.id) == checkout
