"""Our client and the simulated provider, over real HTTP: checkouts, repeats, and a provider in trouble."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from advancia.config import load_settings
from advancia.core.money import Money, asset
from advancia.providers.sandbox.faults import Fault
from advancia.providers.stripe import (
    CardGateway,
    ProviderNotSetUp,
    ProviderRefused,
    ProviderUnavailable,
    gateway_from,
    webhook_secrets_from,
)

SECRET = "whsec_for_tests"
UNREACHABLE_WORDS = "We could not reach the sandbox. Nothing was charged. Try again in a few minutes."


def gateway_to(url, key=SECRET, **options):
    return CardGateway(key, name="sandbox", api_base=url, **{"retries": 0, **options})


def test_a_checkout_is_opened_for_the_deposit_and_can_be_read_back(shop):
    deposit_id = uuid4()
    checkout = shop.open_checkout(deposit_id, amount=Money(12_34, asset("USD")))

    assert (checkout.status, checkout.payment_status, checkout.is_open) == ("open", "unpaid", True)
    assert checkout.amount == Money(12_34, asset("USD"))
    assert checkout.deposit_id == deposit_id
    assert not checkout.is_paid
    assert not checkout.failed
    assert checkout.url == f"{shop.gateway.page_origin}/checkout/{checkout.id}"
    assert shop.gateway.retrieve_checkout(checkout.id) == checkout


def test_asking_again_for_the_same_deposit_gives_the_same_checkout(shop):
    deposit_id, ends = uuid4(), shop.clock() + timedelta(hours=2)
    first = shop.open_checkout(deposit_id, expires_at=ends)
    shop.move_clock(hours=1.9)  # later, the same parameters would not be taken for a new checkout

    assert shop.open_checkout(deposit_id, expires_at=ends) == first
    assert shop.open_checkout(uuid4()).id != first.id


def test_ten_at_once_open_one_checkout(shop):
    deposit_id = uuid4()
    with ThreadPoolExecutor(10) as pool:
        checkouts = list(pool.map(lambda _: shop.open_checkout(deposit_id), range(10)))

    assert len({checkout.id for checkout in checkouts}) == 1


def test_the_same_deposit_with_another_amount_is_refused(shop):
    deposit_id = uuid4()
    shop.open_checkout(deposit_id)

    with pytest.raises(ProviderRefused) as refusal:
        shop.open_checkout(deposit_id, amount=Money(99_99, asset("USD")))
    assert "same parameters" in refusal.value.detail


def test_a_refused_request_does_not_use_up_its_key(shop):
    deposit_id = uuid4()
    with pytest.raises(ProviderRefused):
        shop.open_checkout(deposit_id, amount=Money(49, asset("USD")))

    assert shop.open_checkout(deposit_id, amount=Money(50, asset("USD"))).is_open


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": Money(49, asset("USD"))}, "0.50"),
        ({"amount": Money(100_000_000, asset("USD"))}, "999,999.99"),
        ({"amount": Money(1000, asset("BTC"))}, "currency"),
        ({"success_url": "not an address"}, "URL"),
    ],
)
def test_what_stripe_would_refuse_is_refused_with_its_words_for_the_log_alone(shop, changes, words):
    with pytest.raises(ProviderRefused) as refusal:
        shop.open_checkout(**changes)

    assert words in refusal.value.detail
    assert "The sandbox did not accept the request. Nothing was charged." in str(refusal.value)


@pytest.mark.parametrize(
    ("minutes", "is_taken"), [(29, False), (30.1, True), (24 * 60, True), (24 * 60 + 1, False)]
)
def test_a_checkout_lasts_half_an_hour_to_a_day(shop, minutes, is_taken):
    ends = shop.clock() + timedelta(minutes=minutes)
    if is_taken:
        assert shop.open_checkout(expires_at=ends).is_open
    else:
        with pytest.raises(ProviderRefused, match="did not accept"):
            shop.open_checkout(expires_at=ends)


def test_a_checkout_that_is_not_there_is_a_refusal(shop):
    with pytest.raises(ProviderRefused) as refusal:
        shop.gateway.retrieve_checkout("cs_test_nowhere")
    assert "No such checkout.session" in refusal.value.detail


def test_expiring_closes_the_page_and_a_second_time_changes_nothing(shop):
    checkout = shop.open_checkout()
    closed = shop.gateway.expire_checkout(checkout.id)

    assert (closed.status, closed.url) == ("expired", None)
    assert shop.gateway.expire_checkout(checkout.id) == closed
    assert [event.type for event in shop.events(1)] == ["checkout.session.expired"]


def test_expiring_what_is_paid_already_tells_that_it_is_paid(shop):
    checkout = shop.open_checkout()
    shop.choose(checkout, "pay")

    assert shop.gateway.expire_checkout(checkout.id).is_paid


@pytest.mark.parametrize("outcome", ["decline", "pay"])
def test_a_payment_leads_to_its_checkout(shop, outcome):
    shop.open_checkout()
    opened = shop.open_checkout()
    shop.choose(opened, outcome)
    checkout = shop.gateway.retrieve_checkout(opened.id)

    assert checkout.payment_intent is not None
    assert shop.gateway.checkout_of_payment(checkout.payment_intent) == checkout


def test_a_payment_begun_elsewhere_has_no_checkout(shop):
    assert shop.gateway.checkout_of_payment("pi_elsewhere") is None


def test_payments_are_listed_by_when_they_were_begun_in_pages_with_their_fees(shop):
    with shop.server._store.transaction():
        made = [begun_elsewhere(shop, number) for number in range(205)]
    before, after = made[3:103], made[103:]
    for each in made[:3]:
        shop.server._store.keep(each | {"created": each["created"] - 3600})
    for each in after:
        shop.server._store.keep(each | {"created": each["created"] + 2})
    since, until = (datetime.fromtimestamp(made[0]["created"] + more, UTC) for more in (-60, 60))
    pages = list(shop.gateway.payments(since=since, until=until))

    assert [len(page) for page in pages] == [100, 100, 2]
    told = [payment.id for page in pages for payment in page]
    assert set(told[:102]) == {each["id"] for each in after}
    assert set(told[102:]) == {each["id"] for each in before}
    assert {payment.fee for page in pages for payment in page} == {Money(32, asset("USD"))}
    assert list(shop.gateway.payments(since=until, until=until)) == [[]]


def begun_elsewhere(shop, number):
    params = {"amount": "100", "currency": "usd", "confirm": "true", "metadata": {"number": str(number)}}
    intent = shop.server.cards.payments.create(params)
    return shop.server._store.object(intent["id"])


def test_a_payment_on_a_page_that_cannot_be_read_hides_none_of_the_others(shop):
    made = [begun_elsewhere(shop, number) for number in range(3)]
    shop.server._store.keep(made[1] | {"status": None, "currency": None})
    since, until = (datetime.fromtimestamp(made[0]["created"] + more, UTC) for more in (-60, 60))
    [page] = shop.gateway.payments(since=since, until=until)

    assert {payment.id for payment in page} == {made[0]["id"], made[2]["id"]}


def test_nobody_listening_is_a_provider_out_of_reach():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ProviderUnavailable) as trouble:
        gateway_to(f"http://127.0.0.1:{port}").retrieve_checkout("cs_1")
    assert str(trouble.value) == UNREACHABLE_WORDS


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.RATE_LIMITED, Fault.ERROR_AFTER])
def test_an_error_of_the_provider_is_no_answer_about_the_payment(shop, fault):
    shop.server.fail_next(fault)
    with pytest.raises(ProviderUnavailable) as trouble:
        shop.open_checkout()
    assert str(trouble.value) == UNREACHABLE_WORDS


def test_a_key_that_is_refused_says_nothing_about_the_payment_either(shop):
    checkout = shop.open_checkout()
    for key in ("sk_test_wrong", SECRET + "x"):
        with pytest.raises(ProviderUnavailable):
            gateway_to(shop.server.url, key).retrieve_checkout(checkout.id)


@pytest.mark.parametrize("fault", [Fault.SILENT_AFTER, Fault.ERROR_AFTER])
def test_no_answer_after_accepting_ends_in_one_checkout_when_asked_again(shop, fault):
    shop.gateway = gateway_to(shop.server.url, timeouts=(1, 0.3))
    deposit_id = uuid4()
    shop.server.fail_next(fault)
    with pytest.raises(ProviderUnavailable):
        shop.open_checkout(deposit_id)

    checkout = shop.open_checkout(deposit_id)
    shop.move_clock(hours=1)

    assert [event.object_id for event in shop.events(1)] == [checkout.id]
    assert len(shop.server.deliveries()) == 1


def test_the_client_itself_asks_again_once_under_the_same_key(shop):
    shop.gateway = gateway_to(shop.server.url, timeouts=(1, 0.3), retries=1)
    shop.server.fail_next(Fault.SILENT_AFTER)

    assert shop.open_checkout().is_open


@pytest.fixture
def proxied(monkeypatch):
    """An environment with a proxy that is not there."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_proxy_settings_of_the_environment_do_not_catch_calls_to_this_machine(proxied, shop):
    shop.choose(shop.open_checkout(), "pay")

    assert shop.events(1)


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        {
            "ADVANCIA_VAR": str(tmp_path),
            "SECRET_KEY": "x" * 32,
            "DATABASE_URL": "postgresql:///x",
            "REDIS_URL": "redis://x",
            "SANDBOX_URL": "http://127.0.0.1:1",
            "SANDBOX_SECRET": "whsec_sandbox",
        }
    )


def test_without_keys_the_sandbox_is_used_and_says_so(settings):
    gateway = gateway_from(settings)

    assert (gateway.name, gateway.label) == ("sandbox", "Sandbox card (simulated)")
    assert gateway.page_origin == "http://127.0.0.1:1"
    assert webhook_secrets_from(settings) == ("whsec_sandbox",)


def test_with_a_key_stripe_is_used_and_the_sandboxs_secret_is_not(settings):
    live = replace(settings, stripe_secret_key="sk_test_x", stripe_webhook_secrets=("whsec_1", "whsec_2"))
    gateway = gateway_from(live)

    assert (gateway.name, gateway.label) == ("stripe", "Card (Stripe)")
    assert gateway.page_origin == "https://checkout.stripe.com"
    assert webhook_secrets_from(live) == ("whsec_1", "whsec_2")


def test_with_neither_the_customer_is_told_plainly(settings):
    with pytest.raises(ProviderNotSetUp, match="not set up"):
        gateway_from(replace(settings, sandbox_url=None))
