"""Our client for crypto and the simulated provider, over real HTTP: invoices, repeats, and a provider in trouble."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import httpx
import pytest

from advancia.config import load_settings
from advancia.core.money import Money
from advancia.providers.cryptomus import (
    SANDBOX_MERCHANT,
    CryptoGateway,
    callback_keys_from,
    crypto_gateway_from,
    sandbox_payout_key,
)
from advancia.providers.cryptomus_events import verify_event
from advancia.providers.cryptomus_states import Meaning
from advancia.providers.errors import ProviderRefused, ProviderUnavailable
from advancia.providers.sandbox.faults import Fault
from tests.support import php

SECRET = "whsec_for_tests"


class CryptoShop:
    """A merchant at the simulated provider, and what came to its callback address."""

    def __init__(self, shop) -> None:
        self.shop, self.server, self.endpoint = shop, shop.server, shop.endpoint
        self.gateway = self.gateway_with()

    def gateway_with(self, **changes):
        usual = {"merchant": SANDBOX_MERCHANT, "payment_key": SECRET, "name": "sandbox_crypto"}
        usual["payout_key"] = sandbox_payout_key(SECRET)
        return CryptoGateway(**{**usual, "api_base": self.server.url, "timeouts": (1, 1), **changes})

    def open(self, amount="0.01000000", code="BTC", **changes):
        order = {
            "deposit_id": uuid4(),
            "amount": Money.of(amount, code),
            "return_url": "http://shop.example/back",
            "callback_url": self.endpoint.url,
            "lifetime": timedelta(hours=1),
        }
        return self.gateway.create_invoice(**{**order, **changes})

    def act(self, invoice, outcome):
        answer = httpx.post(f"{self.server.url}/pay/{invoice.id}", data={"outcome": outcome}, trust_env=False)
        return answer.status_code

    def now(self, invoice):
        return self.gateway.invoice(invoice.id)

    def told(self):
        """The kinds of all events so far; one that was answered late may have come twice."""
        return {event.type for event in self.events(0)}

    def events(self, count, *, key=SECRET):
        return [verify_event(body, keys=[key]) for _, body in self.endpoint.wait_for(count)]


@pytest.fixture
def crypto(shop):
    return CryptoShop(shop)


def test_an_invoice_is_opened_for_the_deposit_and_can_be_read_back_by_either_id(crypto):
    deposit_id = uuid4()
    invoice = crypto.open(deposit_id=deposit_id)

    assert (invoice.deposit_id, invoice.status, invoice.meaning) == (deposit_id, "check", Meaning.WAITING)
    assert invoice.asked == Money.of("0.01000000", "BTC")
    assert (invoice.arrived, invoice.fee, invoice.network) == (None, None, "btc")
    assert invoice.url == f"{crypto.gateway.page_origin}/pay/{invoice.id}"
    assert crypto.now(invoice) == invoice == crypto.gateway.invoice_of(deposit_id)


def test_asking_again_for_the_same_deposit_gives_the_same_invoice(crypto):
    deposit_id = uuid4()
    first = crypto.open(deposit_id=deposit_id)

    assert crypto.open(deposit_id=deposit_id, amount="0.02000000") == first
    assert crypto.open().id != first.id


@pytest.mark.parametrize(
    ("outcome", "status", "arrived", "fee"),
    [
        ("exact", "paid", "0.01000000", "0.00010000"),
        ("more", "paid_over", "0.01500000", "0.00015000"),
        ("less", "wrong_amount_waiting", "0.00400000", None),
    ],
)
def test_what_was_sent_counts_once_the_network_has_confirmed_it(crypto, outcome, status, arrived, fee):
    invoice = crypto.open()
    assert crypto.act(invoice, outcome) == 303
    assert (crypto.now(invoice).status, crypto.now(invoice).meaning) == ("confirm_check", Meaning.SEEN)
    crypto.act(invoice, "confirm")
    now = crypto.now(invoice)

    assert now.status == status
    assert now.arrived == Money.of(arrived, "BTC")
    assert now.fee == (Money.of(fee, "BTC") if fee else None)
    assert now.txid
    assert not now.went_astray


def test_time_alone_confirms_and_expires(crypto):
    paid, partly, unpaid = crypto.open(), crypto.open(), crypto.open()
    crypto.act(paid, "exact")
    crypto.act(partly, "less")
    crypto.shop.move_clock(seconds=20)
    crypto.events(4)
    crypto.shop.move_clock(hours=2)
    crypto.events(6)

    assert [crypto.now(each).status for each in (paid, partly, unpaid)] == ["paid", "wrong_amount", "cancel"]


def test_each_change_is_told_with_a_signature_that_php_would_make(crypto):
    invoice = crypto.open()
    crypto.act(invoice, "exact")
    crypto.act(invoice, "confirm")
    bodies = [json.loads(body) for _, body in crypto.endpoint.wait_for(2)]

    assert {body["status"] for body in bodies} == {"confirm_check", "paid"}
    for body in bodies:
        assert body.pop("sign") == php.sign(body, SECRET)
        assert body["uuid"] == invoice.id


def test_money_over_another_network_has_gone_astray(crypto):
    invoice = crypto.open("25.00", "USDT")
    crypto.act(invoice, "wrong-network")
    crypto.act(invoice, "confirm")

    assert crypto.now(invoice).went_astray
    assert crypto.now(invoice).network == "bsc"


def test_money_of_an_asset_that_we_do_not_keep_is_told_in_words(crypto):
    invoice = crypto.open()
    crypto.server.invoices.send(invoice.id, Decimal(3), code="DOGE")
    now = crypto.now(invoice)

    assert (now.arrived, now.went_astray) == (None, True)
    assert now.arrived_words.endswith(" DOGE")


def test_what_is_closed_takes_no_more_money(crypto):
    invoice = crypto.open()
    crypto.act(invoice, "expire")

    assert crypto.act(invoice, "exact") == 410
    assert crypto.now(invoice).meaning is Meaning.UNPAID


def test_a_webhook_can_be_asked_for_again_and_a_test_one_about_nothing(crypto):
    invoice = crypto.open()
    crypto.act(invoice, "exact")
    [first] = crypto.events(1)
    crypto.gateway.resend(invoice.id)
    crypto.gateway.send_test_webhook(callback_url=crypto.endpoint.url, order_id="a-test")

    assert [event.id for event in crypto.events(3)].count(first.id) == 2
    assert "payment.paid" in {event.type for event in crypto.events(3)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "0"}, "amount"),
        ({"currency": "DOGE"}, "currency"),
        ({"order_id": "with space"}, "order_id"),
    ],
)
def test_what_the_provider_would_refuse_is_a_refusal(crypto, changes, words):
    asked = {"amount": "1", "currency": "BTC", "order_id": "a", "network": "btc", **changes}
    with pytest.raises(ProviderRefused) as refusal:
        crypto.gateway._call("/v1/payment", asked)
    assert words in refusal.value.detail


def test_an_invoice_that_is_not_there_is_a_refusal(crypto):
    with pytest.raises(ProviderRefused):
        crypto.gateway.invoice_of(uuid4())


@pytest.mark.parametrize(
    "fault", [Fault.UNAVAILABLE, Fault.RATE_LIMITED, Fault.ERROR_AFTER, Fault.SILENT_AFTER]
)
def test_trouble_is_no_answer_and_asking_again_gives_one_invoice(crypto, fault):
    deposit_id = uuid4()
    crypto.server.fail_next(fault)
    with pytest.raises(ProviderUnavailable):
        crypto.open(deposit_id=deposit_id)

    invoice = crypto.open(deposit_id=deposit_id)
    assert crypto.gateway.invoice_of(deposit_id) == invoice


@pytest.mark.parametrize("changes", [{"payment_key": "wrong"}, {"merchant": "somebody-else"}])
def test_a_refused_key_says_nothing_about_the_payment(crypto, changes):
    with pytest.raises(ProviderUnavailable):
        crypto.gateway_with(**changes).invoice_of(uuid4())


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"state": 0}',
        b'{"state": 0, "result": {"uuid": "1", "order_id": "2", "amount": "1", "currency": "XXX"}}',
        b'{"state": 0, "result": {"uuid": "1", "order_id": "2", "status": "paid", "amount": "NaN", "currency": "BTC"}}',
        b'{"state": 0, "result": {"uuid": "1", "order_id": "2", "status": "paid", "amount": "1e99","currency": "BTC"}}',
    ],
)
def test_an_answer_that_we_cannot_read_is_none(crypto, answer):
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=answer))
    crypto.gateway._client = httpx.Client(base_url="http://provider.example", transport=transport)

    with pytest.raises(ProviderUnavailable):
        crypto.gateway.invoice_of(uuid4())


def test_more_digits_than_we_keep_are_rounded_down_and_unknown_fields_pass(crypto):
    told = {
        "uuid": "1", "order_id": str(uuid4()), "amount": "10", "currency": "USDT", "payment_status": "paid",
        "payment_amount": 10.1234567, "payer_currency": "USDT", "network": "tron", "commission": None, "new": {"a": 1},
    }  # fmt: skip
    body = json.dumps({"state": 0, "result": told}).encode()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=body))
    crypto.gateway._client = httpx.Client(base_url="http://provider.example", transport=transport)
    invoice = crypto.gateway.invoice("1")

    assert invoice.arrived == Money.of("10.123456", "USDT")
    assert invoice.fee is None


def test_a_payout_is_paid_after_a_while_and_asking_twice_is_one_payout(crypto):
    asked = {
        "amount": "1", "currency": "BTC", "network": "btc", "order_id": "p-1", "address": "x",
        "url_callback": crypto.endpoint.url,
    }  # fmt: skip
    first = crypto.gateway.payouts._call("/v1/payout", asked)
    assert crypto.gateway.payouts._call("/v1/payout", asked) == first
    assert first["status"] == "process"
    crypto.shop.move_clock(seconds=20)
    [event] = crypto.events(
        1, key=sandbox_payout_key(SECRET)
    )  # the provider signs with the key of what it is about

    assert event.type == "payout.paid"
    assert crypto.gateway.payouts._call("/v1/payout/info", {"order_id": "p-1"})["is_final"] is True


def test_events_arrive_late_twice_and_in_any_order_when_asked_to(crypto, until):
    crypto.server.deliver(copies=2, late=60)
    invoice = crypto.open()
    crypto.act(invoice, "exact")
    crypto.act(invoice, "confirm")
    assert crypto.endpoint.requests == []
    crypto.shop.move_clock(seconds=61)

    assert (
        sorted(event.type for event in crypto.events(4))
        == ["payment.confirm_check"] * 2 + ["payment.paid"] * 2
    )
    until(crypto.shop.settled)
    assert len(crypto.endpoint.requests) == 4


def test_which_provider_is_asked_follows_from_the_settings(environ):
    sandboxed = load_settings(environ)
    assert crypto_gateway_from(sandboxed).name == "sandbox_crypto"
    keys = {"CRYPTOMUS_MERCHANT": SANDBOX_MERCHANT, "CRYPTOMUS_PAYMENT_KEY": "new,old"}
    real = load_settings({**environ, **keys})
    assert crypto_gateway_from(real).name == "cryptomus"
    assert callback_keys_from(real) == ("new", "old")
    assert crypto_gateway_from(replace(sandboxed, sandbox_url=None)) is None
    assert callback_keys_from(replace(sandboxed, sandbox_url=None)) == ()


ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def paid(crypto):
    invoice = crypto.open()
    for outcome in ("exact", "confirm"):
        assert crypto.act(invoice, outcome) == 303
    return invoice


@pytest.mark.parametrize(
    ("will", "state", "meaning"),
    [(None, "refund_paid", Meaning.RETURNED), ("refund_fail", "refund_fail", Meaning.NOT_RETURNED)],
)
def test_a_refund_is_under_way_at_once_and_ends_after_a_while_each_with_its_webhook(
    crypto, until, will, state, meaning
):
    invoice = paid(crypto)
    if will:
        crypto.server.invoices.will(will)
    crypto.gateway.give_back(invoice.id, address=ADDRESS)
    assert crypto.now(invoice).meaning is Meaning.RETURNING
    crypto.shop.move_clock(hours=1)
    until(lambda: crypto.now(invoice).meaning is meaning)

    until(lambda: crypto.told() >= {"payment.refund_process", f"payment.{state}"})


def test_an_invoice_is_given_back_once_and_only_when_something_has_come(crypto):
    unpaid, invoice = crypto.open(), paid(crypto)
    with pytest.raises(ProviderRefused):
        crypto.gateway.give_back(unpaid.id, address=ADDRESS)
    crypto.gateway.give_back(invoice.id, address=ADDRESS)
    with pytest.raises(ProviderRefused):
        crypto.gateway.give_back(invoice.id, address=ADDRESS)
    with pytest.raises(ProviderRefused):
        crypto.gateway.give_back(str(uuid4()), address=ADDRESS)


@pytest.mark.parametrize("lacking", ["uuid", "address", "is_subtract"])
def test_a_refund_that_lacks_something_is_refused_with_its_name(crypto, lacking):
    asked = {"uuid": paid(crypto).id, "address": ADDRESS, "is_subtract": False}
    with pytest.raises(ProviderRefused) as refusal:
        crypto.gateway._call(
            "/v1/payment/refund", {name: value for name, value in asked.items() if name != lacking}
        )
    assert refusal.value.detail.startswith("422")
    assert lacking in refusal.value.detail


def test_a_refund_may_name_its_invoice_by_our_id(crypto):
    invoice = paid(crypto)
    told = crypto.gateway._call(
        "/v1/payment/refund", {"order_id": invoice.order_id, "address": ADDRESS, "is_subtract": True}
    )
    assert told == []
    assert crypto.now(invoice).meaning is Meaning.RETURNING
