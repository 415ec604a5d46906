"""The crypto provider's list of payouts, under a key of its own, over real HTTP: what has left, and what has not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from advancia.providers.cryptomus import SANDBOX_MERCHANT, CryptoGateway, sandbox_payout_key
from advancia.providers.cryptomus_payouts import UNDATED, movement_from
from advancia.providers.errors import ProviderRefused, ProviderUnavailable
from advancia.providers.sandbox.faults import Fault

SECRET = "whsec_for_tests"
TOLD = {
    "uuid": "a7c0caec-a594-4aaa-b1c4-77d511857594", "amount": "3", "currency": "USDT", "network": "TRON",
    "address": "TJ...", "txid": None, "status": "paid", "is_final": True, "created_at": "2026-11-24 15:00:05",
    "updated_at": "2026-11-24 15:20:00",
}  # fmt: skip


@pytest.fixture
def gateway(shop):
    return CryptoGateway(
        merchant=SANDBOX_MERCHANT, payment_key=SECRET, payout_key=sandbox_payout_key(SECRET),
        name="sandbox_crypto", api_base=shop.server.url,
    )  # fmt: skip


@pytest.fixture
def pay_out(shop):
    """Make a payout at the provider's own pages, of which nobody tells us."""

    def make(order_id, amount="0.01", code="BTC", network="btc"):
        asked = {
            "order_id": order_id,
            "amount": amount,
            "currency": code,
            "network": network,
            "address": "x",
        }
        return shop.server.payouts.create(asked)["uuid"]

    return make


def all_of(gateway, clock, since=timedelta(days=1), until=timedelta(days=1)):
    moved, cursor = [], None
    while True:
        page = gateway.payouts.movements(since=clock() - since, until=clock() + until, cursor=cursor)
        moved += page.movements
        if page.cursor is None:
            return moved
        cursor = page.cursor


def test_each_payout_tells_what_has_left_by_it(shop, gateway, pay_out, clock):
    waiting, paid, failed, may_come, cancelled, sent = (
        pay_out(f"p-{number}", amount="0.25") for number in range(6)
    )
    shop.server.payouts.become(paid, "paid")
    shop.server.payouts.become(failed, "fail")
    shop.server.payouts.become(may_come, "fail", is_final=False)
    shop.server.payouts.become(cancelled, "cancel")
    shop.server.remember(
        [shop.server._store.object(sent) | {"status": "cancel", "is_final": True, "txid": "ab"}]
    )
    told = {each.ref: (each.what, each.code, each.amount, each.state) for each in all_of(gateway, clock)}

    assert told == {
        waiting: ("payout", "BTC", -25_000_000, "process"),
        paid: ("payout", "BTC", -25_000_000, "paid"),
        failed: ("payout", "BTC", 0, "fail"),
        may_come: ("payout", "BTC", -25_000_000, "fail_not_final"),
        cancelled: ("payout", "BTC", 0, "cancel"),
        sent: ("payout", "BTC", -25_000_000, "cancel"),
    }


def test_the_pages_hold_every_payout_once(gateway, pay_out, clock):
    made = {pay_out(f"p-{number}") for number in range(37)}
    moved = all_of(gateway, clock)

    assert len(moved) == 37
    assert {each.ref for each in moved} == made


def test_payouts_are_found_by_when_they_were_made_and_told_by_when_they_changed(
    shop, gateway, pay_out, clock
):
    early = pay_out("early")
    shop.move_clock(hours=3)
    shop.server.payouts.become(early, "paid")
    late = pay_out("late")
    hour = timedelta(hours=1)

    assert [each.ref for each in all_of(gateway, clock, since=hour)] == [late]
    [moved] = all_of(gateway, clock, since=4 * hour, until=-hour)
    assert (moved.ref, moved.happened_at) == (early, clock().replace(microsecond=0))


def test_one_payout_is_told_by_its_name_and_without_a_date_is_of_before_any_window(gateway, pay_out):
    payout = pay_out("p-1")
    moved = gateway.payouts.movement_of(payout)

    assert (moved.ref, moved.amount, moved.happened_at) == (payout, -1_000_000, UNDATED)
    with pytest.raises(ProviderRefused):
        gateway.payouts.movement_of("0b2e8f6e-0000-4000-8000-000000000000")


def test_without_a_zone_a_moment_is_in_the_providers():
    assert movement_from(TOLD).happened_at == datetime(2026, 11, 24, 12, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "code", "amount", "fee"),
    [
        ({}, "USDT", -3_000_000, None),  # as it is listed: no commission is told
        ({"amount": 3, "commission": "0.5"}, "USDT", -3_000_000, 500_000),
        ({"currency": "DOGE", "amount": "2.5"}, "DOGE", -250_000_000, None),
        ({"status": "fail", "commission": "0.5"}, "USDT", 0, 0),
        ({"status": "something new"}, "USDT", -3_000_000, None),
    ],
)
def test_what_is_not_told_is_not_guessed(changes, code, amount, fee):
    moved = movement_from(TOLD | changes)

    assert (moved.code, moved.amount, moved.fee) == (code, amount, fee)


def test_a_list_that_cannot_be_read_or_asked_is_not_an_empty_page(shop, gateway, pay_out, clock):
    shop.server.fail_next(Fault.UNAVAILABLE)
    with pytest.raises(ProviderUnavailable):
        all_of(gateway, clock)
    payout = pay_out("p-1")
    shop.server.remember([shop.server._store.object(payout) | {"amount": None}])
    with pytest.raises(ProviderUnavailable):
        all_of(gateway, clock)


def test_a_wrong_key_for_payouts_stops_no_payment(shop, clock):
    gateway = CryptoGateway(
        merchant=SANDBOX_MERCHANT, payment_key=SECRET, payout_key=SECRET, name="sandbox_crypto",
        api_base=shop.server.url,
    )  # fmt: skip
    for _ in range(6):
        with pytest.raises(ProviderUnavailable):
            all_of(gateway, clock)

    assert gateway.payouts.breaker.is_open
    assert not gateway.breaker.is_open
    assert gateway.movements(since=clock(), until=clock()).movements == []
