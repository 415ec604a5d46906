"""The crypto provider's own list of invoices, as pages of what came of each, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from advancia.core.money import Money
from advancia.providers.cryptomus import SANDBOX_MERCHANT, CryptoGateway
from advancia.providers.cryptomus_history import moment_from, written_moment
from advancia.providers.errors import ProviderUnavailable
from advancia.providers.sandbox.faults import Fault

SECRET = "whsec_for_tests"


@pytest.fixture
def gateway(shop):
    return CryptoGateway(
        merchant=SANDBOX_MERCHANT, payment_key=SECRET, name="sandbox_crypto", api_base=shop.server.url
    )


@pytest.fixture
def open_invoice(gateway):
    def open_one(amount="0.01000000"):
        return gateway.create_invoice(
            deposit_id=uuid4(), amount=Money.of(amount, "BTC"), return_url="http://shop.example/",
            callback_url="", lifetime=timedelta(hours=1),
        ).id  # fmt: skip

    return open_one


def all_of(gateway, clock, since=timedelta(days=1), until=timedelta(days=1)):
    moved, cursor = [], None
    while True:
        page = gateway.movements(since=clock() - since, until=clock() + until, cursor=cursor)
        moved += page.movements
        if page.cursor is None:
            return moved
        cursor = page.cursor


def test_each_invoice_tells_what_is_ours_of_it_by_now(shop, gateway, open_invoice, clock):
    invoices = shop.server.invoices
    paid, less, seen, untouched, given_back, held = (open_invoice() for _ in range(6))
    for each in (paid, given_back, held):
        invoices.send(each, Decimal("0.01"))
        invoices.confirm(each)
    invoices.send(less, Decimal("0.004"))
    invoices.become(less, "wrong_amount_waiting")
    invoices.expire(less)
    invoices.send(seen, Decimal("0.01"))
    invoices.become(given_back, "refund_paid")
    invoices.become(held, "locked")
    told = {each.ref: (each.state, each.amount, each.fee) for each in all_of(gateway, clock)}

    assert told == {
        paid: ("paid", 1_000_000, 10_000),
        less: ("wrong_amount", 400_000, 4_000),
        seen: ("confirm_check", 0, 0),
        untouched: ("check", 0, 0),
        given_back: ("refund_paid", 0, 0),
        held: ("locked", 0, 0),
    }


def test_a_coin_that_we_do_not_keep_is_told_as_it_is(shop, gateway, open_invoice, clock):
    invoice = open_invoice()
    shop.server.invoices.send(invoice, Decimal("2.5"), code="DOGE")
    shop.server.invoices.become(invoice, "paid")

    assert [(each.code, each.amount) for each in all_of(gateway, clock)] == [("DOGE", 250_000_000)]


def test_the_pages_hold_everything_once(gateway, open_invoice, clock):
    opened = {open_invoice() for _ in range(37)}
    moved = all_of(gateway, clock)

    assert len(moved) == 37
    assert {each.ref for each in moved} == opened


def test_invoices_are_found_by_when_they_were_opened(shop, gateway, open_invoice, clock):
    early = open_invoice()
    shop.server.invoices.send(early, Decimal("0.01"))  # before it expires
    shop.move_clock(hours=3)
    late = open_invoice()
    hour = timedelta(hours=1)

    assert [each.ref for each in all_of(gateway, clock, since=hour)] == [late]
    assert [each.ref for each in all_of(gateway, clock, since=4 * hour, until=-hour)] == [early]


def test_when_an_invoice_changed_last_is_told_in_our_time(shop, gateway, open_invoice, clock):
    invoice = open_invoice()
    shop.move_clock(hours=0.5)
    shop.server.invoices.send(invoice, Decimal("0.01"))
    [moved] = all_of(gateway, clock)

    assert moved.happened_at == clock().replace(microsecond=0)


def test_dates_are_written_and_read_in_the_providers_zone():
    noon = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)

    assert written_moment(noon) == "2026-11-24 15:00:05"
    assert moment_from("2026-11-24 15:00:05") == moment_from("2026-11-24T15:00:05+03:00") == noon


def test_a_provider_that_is_away_or_tells_nonsense_is_not_an_empty_page(shop, gateway, open_invoice, clock):
    shop.server.fail_next(Fault.UNAVAILABLE)
    with pytest.raises(ProviderUnavailable):
        all_of(gateway, clock)
    shop.server.remember([{"id": "x", "kind": "invoice", "created": int(clock().timestamp())}])
    with pytest.raises(ProviderUnavailable):
        all_of(gateway, clock)
