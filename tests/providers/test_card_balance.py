"""The card provider's own books, as pages of what changed our balance there, over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import stripe

from advancia.core.money import Money
from advancia.providers.errors import ProviderUnavailable
from advancia.providers.sandbox.faults import Fault
from advancia.providers.stripe import ENABLED_EVENTS, CardGateway

SECRET = "whsec_for_tests"


@pytest.fixture
def shop(start_server, endpoint, clock):
    from tests.providers.conftest import Shop

    server = start_server(events=ENABLED_EVENTS)
    gateway = CardGateway(SECRET, name="sandbox", api_base=server.url, retries=0)
    shop = Shop(server, gateway, endpoint, clock)
    yield shop
    shop.pages.close()
    server.stop()


def pay(shop, amount="100.00"):
    checkout = shop.open_checkout(amount=Money.of(amount, "USD"))
    shop.choose(checkout, "pay")
    return shop.gateway.retrieve_checkout(checkout.id).payment_intent


def all_of(shop, since=timedelta(days=1), until=timedelta(days=1)):
    moved, cursor = [], None
    while True:
        page = shop.gateway.movements(since=shop.clock() - since, until=shop.clock() + until, cursor=cursor)
        moved += page.movements
        if page.cursor is None:
            return moved
        cursor = page.cursor


def told(movement):
    return movement.what, movement.ref, movement.amount, movement.fee


def test_each_change_is_named_by_what_our_rows_know(shop):
    payment = pay(shop)
    shop.server.cards.refunds.will("bounce")
    refund = shop.gateway.give_back(
        refund_id=uuid4(), payment_intent=payment, amount=Money.of("40.00", "USD")
    )
    shop.server.cards.refunds.bounce(refund.id)
    dispute = shop.server.cards.disputes.open(payment)["id"]
    shop.server.cards.disputes.close(dispute, won=True)
    payout = shop.server.cards.disputes.pay_out(50_00, fails=True)["id"]

    assert sorted(map(told, all_of(shop))) == [
        ("dispute", dispute, -100_00, 15_00),
        ("dispute_won", dispute, 100_00, 0),
        ("payment", payment, 100_00, 3_20),
        ("payout", payout, -50_00, 0),
        ("payout_failed", payout, 50_00, 0),
        ("refund", refund.id, -40_00, 0),
        ("refund_failed", refund.id, 40_00, 0),
    ]
    assert shop.gateway.balance() == {"USD": 100_00 - 3_20 - 15_00}


def test_a_currency_that_we_do_not_keep_is_told_as_it_is(shop):
    client = stripe.StripeClient(SECRET, base_addresses={"api": shop.server.url})
    client.v1.payment_intents.create({"amount": 500, "currency": "eur", "confirm": True})

    assert [(each.code, each.amount) for each in all_of(shop)] == [("EUR", 500)]


def test_the_pages_hold_everything_once(shop):
    shop.server.remember(
        {
            "id": f"txn_{number:024x}", "object": "balance_transaction", "amount": number + 1, "fee": 0,
            "net": number + 1, "created": int(shop.clock().timestamp()) - number // 7, "currency": "usd",
            "source": None, "status": "available", "type": "stripe_fee",
        }
        for number in range(250)
    )  # fmt: skip
    moved = all_of(shop)

    assert sorted(each.amount for each in moved) == list(range(1, 251))
    assert {each.what for each in moved} == {"fee"}
    assert [each.happened_at for each in moved] == sorted((each.happened_at for each in moved), reverse=True)


def test_a_window_begins_with_its_first_second_and_ends_before_its_last(shop):
    pay(shop)
    now = shop.clock().replace(microsecond=0)
    asked = shop.gateway.movements

    assert len(asked(since=now, until=now + timedelta(seconds=1)).movements) == 1
    assert asked(since=now - timedelta(hours=1), until=now).movements == []
    assert asked(since=now + timedelta(seconds=1), until=now + timedelta(hours=1)).movements == []


def test_one_thing_can_be_asked_about_whenever_it_was(shop):
    payment = pay(shop)
    pay(shop)
    shop.move_clock(days=40)
    charge = shop.gateway.charge_of_payment(payment)

    assert charge is not None
    assert [each.ref for each in shop.gateway.movements_of(charge)] == [payment]


def test_what_is_not_paid_out_yet_counts_as_there(shop):
    pay(shop)
    client = stripe.StripeClient(SECRET, base_addresses={"api": shop.server.url})

    assert [each.amount for each in client.v1.balance.retrieve().pending] == [96_80]
    shop.move_clock(days=3)
    assert [each.amount for each in client.v1.balance.retrieve().available] == [96_80]
    assert shop.gateway.balance() == {"USD": 96_80}


def test_a_provider_that_is_away_is_not_an_empty_page(shop):
    pay(shop)
    shop.server.fail_next(Fault.UNAVAILABLE)

    with pytest.raises(ProviderUnavailable):
        all_of(shop)


def test_a_page_with_something_unreadable_is_no_page(shop):
    shop.server.remember(
        [{"id": "txn_1", "object": "balance_transaction", "created": int(shop.clock().timestamp())}]
    )
    with pytest.raises(ProviderUnavailable):
        all_of(shop)
