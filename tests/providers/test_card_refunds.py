"""Refunds, disputes, payouts and fees of card payments, over real HTTP, and a provider that is away."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
import stripe

from advancia.core.clock import utcnow
from advancia.core.money import Money
from advancia.providers.breaker import Breaker
from advancia.providers.errors import ProviderRefused, ProviderUnavailable
from advancia.providers.sandbox.faults import Fault
from advancia.providers.stripe import ENABLED_EVENTS, CardGateway, verify_event
from advancia.providers.stripe_objects import checkout_from, dispute_from, payment_from, refund_from

SECRET = "whsec_for_tests"


@pytest.fixture
def shop(start_server, endpoint, clock):
    from tests.providers.conftest import Shop

    server = start_server(events=ENABLED_EVENTS)
    shop = Shop(server, CardGateway(SECRET, name="sandbox", api_base=server.url, retries=0), endpoint, clock)
    yield shop
    shop.pages.close()
    server.stop()


@pytest.fixture
def paid(shop):
    checkout = shop.open_checkout(amount=Money.of("100.00", "USD"))
    shop.choose(checkout, "pay")
    return shop.gateway.retrieve_checkout(checkout.id)


def usd(amount):
    return Money.of(amount, "USD")


def give_back(shop, paid, amount, refund_id=None):
    return shop.gateway.give_back(
        refund_id=refund_id or uuid4(), payment_intent=paid.payment_intent, amount=usd(amount)
    )


def test_a_paid_checkout_tells_what_came_and_what_the_provider_kept(shop, paid):
    payment = paid.payment

    assert (payment.received, payment.fee, payment.has_come) == (usd("100.00"), usd("3.20"), True)
    assert (payment.has_refunds, payment.is_disputed) == (False, False)
    assert shop.gateway.payment(paid.payment_intent) == payment
    assert paid.customer is not None


def test_a_known_customer_is_named_by_the_next_checkout(shop, paid):
    again = shop.open_checkout(customer=paid.customer)
    assert shop.gateway.retrieve_checkout(again.id).customer == paid.customer


def test_a_payment_begun_elsewhere_is_read_as_well(shop):
    client = stripe.StripeClient(SECRET, base_addresses={"api": shop.server.url})
    told = client.v1.payment_intents.create({"amount": 500, "currency": "eur", "confirm": True})
    payment = shop.gateway.payment(told.id)

    assert (payment.received, payment.received_words) == (None, "500 of the smallest unit of EUR")
    assert payment.has_come
    assert payment.deposit_id is None


def test_a_refund_is_partial_or_whole_and_never_more(shop, paid):
    first = give_back(shop, paid, "30.00")
    with pytest.raises(ProviderRefused):
        give_back(shop, paid, "70.01")
    second = give_back(shop, paid, "70.00")

    assert first.is_done
    assert {each.id for each in shop.gateway.refunds_of(paid.payment_intent)} == {first.id, second.id}
    assert shop.gateway.refund(first.id) == first
    assert shop.gateway.retrieve_checkout(paid.id).payment.has_refunds


def test_the_same_refund_twice_is_one_and_with_another_amount_an_error(shop, paid):
    refund_id = uuid4()
    first = give_back(shop, paid, "30.00", refund_id)

    assert give_back(shop, paid, "30.00", refund_id) == first
    assert first.refund_id == refund_id
    with pytest.raises(ProviderRefused) as refusal:
        give_back(shop, paid, "31.00", refund_id)
    assert "same parameters" in refusal.value.detail


def test_after_silence_the_refund_is_found_by_our_id(shop, paid):
    gateway = CardGateway(SECRET, name="sandbox", api_base=shop.server.url, retries=0, timeouts=(1, 0.3))
    refund_id = uuid4()
    shop.server.fail_next(Fault.SILENT_AFTER)
    with pytest.raises(ProviderUnavailable):
        gateway.give_back(refund_id=refund_id, payment_intent=paid.payment_intent, amount=usd("5.00"))

    assert [each.refund_id for each in gateway.refunds_of(paid.payment_intent)] == [refund_id]


def test_a_refund_may_take_its_time_and_fail(shop, paid, until):
    shop.server.cards.refunds.will("settle", "bounce")
    settles, bounces = give_back(shop, paid, "10.00"), give_back(shop, paid, "20.00")
    assert not settles.is_done
    assert not settles.failed
    shop.move_clock(seconds=20)

    until(lambda: shop.gateway.refund(settles.id).is_done)
    until(lambda: shop.gateway.refund(bounces.id).failed)
    assert shop.gateway.refund(bounces.id).failure_words


def test_a_dispute_tells_its_deadline_its_fee_and_how_it_ended(shop, paid):
    opened = shop.server.cards.disputes.open(paid.payment_intent)
    dispute = shop.gateway.dispute(opened["id"])

    assert (dispute.amount, dispute.fee, dispute.reason) == (usd("100.00"), usd("15.00"), "fraudulent")
    assert dispute.due_by > shop.clock()
    assert not dispute.is_closed
    assert shop.gateway.retrieve_checkout(paid.id).payment.is_disputed
    shop.server.cards.disputes.close(opened["id"], won=False)
    assert shop.gateway.disputes_of(paid.payment_intent)[0].is_lost


def test_an_inquiry_takes_no_money(shop, paid):
    opened = shop.server.cards.disputes.open(paid.payment_intent, inquiry=True)
    dispute = shop.gateway.dispute(opened["id"])

    assert (dispute.is_inquiry, dispute.fee) == (True, None)
    shop.server.cards.disputes.close(opened["id"], won=True)
    closed = shop.gateway.dispute(opened["id"])
    assert (closed.is_closed, closed.is_won) == (True, False)


def test_a_payout_may_come_back_after_it_was_called_paid(shop):
    sent = shop.server.cards.disputes.pay_out(5000, fails=True)
    payout = shop.gateway.payout(sent["id"])

    assert (payout.amount, payout.failed) == (usd("50.00"), True)


def test_everything_that_happens_is_told(shop, paid):
    give_back(shop, paid, "30.00")
    opened = shop.server.cards.disputes.open(paid.payment_intent)
    shop.server.cards.disputes.close(opened["id"], won=True)
    kinds = {event.type for event in shop.events(8)}

    assert kinds == {
        "checkout.session.completed", "payment_intent.succeeded", "charge.refunded", "refund.created",
        "charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    }  # fmt: skip


OLDER = {
    "a charge that is only named": {"latest_charge": "ch_1"},
    "no charge at all": {"latest_charge": None},
    "a balance that is only named": {"latest_charge": {"balance_transaction": "txn_1"}},
    "the dispute in the charge, as it was before": {"latest_charge": {"dispute": "dp_1"}},
    "charges as a list, as it was before": {"charges": {"data": []}},
}


@pytest.mark.parametrize("changes", OLDER.values(), ids=OLDER.keys())
def test_payments_of_other_api_versions_are_read(changes):
    told = {
        "id": "pi_1",
        "status": "succeeded",
        "amount_received": 500,
        "currency": "usd",
        "new": {},
        **changes,
    }

    assert payment_from(told).received == usd("5.00")
    assert checkout_from(
        {
            "id": "cs_1", "status": "complete", "payment_status": "paid", "amount_total": 500, "currency": "usd",
            "payment_intent": told,
        }
    ).payment.fee is None  # fmt: skip


def test_refunds_and_disputes_of_older_versions_are_read():
    assert refund_from(
        {"id": "re_1", "amount": 5, "currency": "usd", "status": None, "metadata": None}
    ).is_done
    assert refund_from({"id": "re_1", "amount": 5, "currency": "eur", "status": "pending"}).amount is None
    told = {"id": "dp_1", "amount": 5, "currency": "usd", "status": "lost", "balance_transactions": ["txn_1"]}
    assert dispute_from(told).fee is None


THIN = {
    "id": "evt_thin", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
    "created": "2026-11-01T12:00:00.000Z", "livemode": False, "related_object": None, "context": "x",
}  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{}, {"related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/"}}]
)
def test_events_of_the_newer_interface_are_read_as_far_as_they_go(changes):
    body = json.dumps({**THIN, **changes})
    header = stripe.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))
    event = verify_event(body.encode(), header, secrets=[SECRET], now=utcnow())

    assert event.type == THIN["type"]
    assert event.object_id == (changes["related_object"]["id"] if changes else None)


class Hours:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_provider_that_is_away_is_left_alone_until_one_call_finds_it_back():
    clock, calls = Hours(), []
    breaker = Breaker("the sandbox", failures=3, pause=20, clock=clock)

    def call(*, works):
        with breaker.call():
            calls.append(works)
            if not works:
                raise ProviderUnavailable("the sandbox")

    for _ in range(5):
        with pytest.raises(ProviderUnavailable):
            call(works=False)
    assert len(calls) == 3
    assert breaker.is_open
    clock.now = 21
    with pytest.raises(ProviderUnavailable):
        call(works=False)
    with pytest.raises(ProviderUnavailable):
        call(works=True)
    assert len(calls) == 4
    clock.now = 42
    call(works=True)
    call(works=True)
    assert not breaker.is_open
    assert len(calls) == 6


def test_a_refusal_is_an_answer_and_breaks_nothing():
    breaker = Breaker("the sandbox", failures=1)
    for _ in range(3):
        with pytest.raises(ProviderRefused), breaker.call():
            raise ProviderRefused("the sandbox")
    assert not breaker.is_open


def test_an_outage_costs_a_few_slow_calls_and_then_none(shop):
    shop.server.fail_next(Fault.UNAVAILABLE, 50)
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            shop.gateway.payment("pi_1")

    assert shop.gateway.breaker.is_open
    assert len(shop.server._faults._queue) == 45
