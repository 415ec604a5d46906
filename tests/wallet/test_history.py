"""The history: pages, filters and receipts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from advancia.core.money import Money
from advancia.wallet.queries import PAGE_SIZE
from tests.support.people import give


@pytest.fixture
def amara(app, customer):
    amara = customer("Amara Okafor")
    for number in range(PAGE_SIZE + 5):
        give(app, amara.id, Money.of(f"{number + 1}.00", "USD"))
    give(app, amara.id, Money.of("0.5", "BTC"))
    return amara


@pytest.fixture
def amara_page(page_of, amara):
    return page_of(amara)


def amounts(answer):
    return [row.get_text(" ", strip=True) for row in answer.all("#history tbody tr td.n:not(.after)")]


def test_pages_are_complete_and_do_not_overlap(amara_page):
    first = amara_page.get("/history")
    older = next(link["href"] for link in first.all("main a[rel=next]"))
    second = amara_page.get(older)

    assert len(amounts(first)) == PAGE_SIZE
    assert len(amounts(first)) + len(amounts(second)) == PAGE_SIZE + 6
    assert not set(amounts(first)) & set(amounts(second))
    assert not second.all("main a[rel=next]")


def test_a_new_movement_does_not_shift_the_older_page(app, amara, amara_page):
    older = amara_page.get("/history").one("main a[rel=next]")["href"]
    before = amounts(amara_page.get(older))
    give(app, amara.id, Money.of("999.00", "USD"))

    assert amounts(amara_page.get(older)) == before


def test_the_filters_stand_in_the_address_and_in_the_links(amara_page):
    shown = amara_page.get("/history?asset=USD&direction=in")

    assert "asset=USD" in shown.one("main a[rel=next]")["href"]
    assert "direction=in" in shown.one("main a[rel=next]")["href"]
    assert shown.one("#asset option[selected]")["value"] == "USD"
    assert all("BTC" not in amount for amount in amounts(shown))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("asset=BTC", 1),
        ("asset=ETH", 0),
        ("direction=out", 0),
        ("kind=transfer", 0),
        ("kind=opening&asset=BTC", 1),
        (f"since={datetime.now(UTC).date()}&asset=BTC", 1),
        (f"until={datetime.now(UTC).date() - timedelta(days=1)}", 0),
    ],
)
def test_a_filter_shows_only_what_it_says(amara_page, query, count):
    assert len(amounts(amara_page.get(f"/history?{query}"))) == count


@pytest.mark.parametrize(
    "query",
    [
        "asset=DOGE",
        "since=yesterday",
        "before=x",
        "since=2026-02-30",
        "before=1-2-3",
        "direction=up",
        "since=0001-01-01&until=9999-12-31",
        "endpoint=x&before=x",
        "_method=x&before=x",
        "_external=1&_scheme=javascript",
        "asset=%00&before=%00",
    ],
)
def test_an_address_that_was_tampered_with_still_gives_a_page(amara_page, query):
    answer = amara_page.get(f"/history?{query}")

    assert answer.status in (200, 303)
    assert "javascript:" not in answer.html


def test_a_reference_that_no_text_can_hold_is_not_found(amara_page):
    assert amara_page.get("/history/transfer:%00").status == 404


def test_only_the_list_is_sent_to_htmx(amara_page):
    answer = amara_page.get("/history?asset=BTC", htmx_target="section#history")

    assert "<html" not in answer.html
    assert answer.one("#history")
    assert "HX-Target" in answer.headers["Vary"]


def test_the_running_balance_stands_beside_each_movement(amara_page):
    newest = amara_page.get("/history?asset=USD").all("#history tbody tr")[0]

    total = sum(range(1, PAGE_SIZE + 6))
    assert f"{total:,}.00" in newest.get_text()


def test_a_receipt_is_nobody_elses_to_see(amara_page, customer, page_of):
    receipt = amara_page.get("/history").all("#history tbody a")[0]["href"]

    assert amara_page.get(receipt).status == 200
    assert page_of(customer("Bilal Haddad")).get(receipt).status == 404


def test_an_empty_history_offers_the_first_step(customer, page_of):
    answer = page_of(customer("Bilal Haddad")).get("/history")

    assert answer.all("main a[href='/deposits/new']")


def test_the_wallet_answers_304_until_something_moves(app, amara, amara_page):
    tag = amara_page.get("/wallet").headers["HX-PTag"]
    poll = {"htmx_target": "div#live", "headers": {"HX-PTag": tag}}
    assert amara_page.get("/wallet", **poll).status == 304

    give(app, amara.id, Money.of("77.00", "ADV"))
    changed = amara_page.get("/wallet", **poll)
    assert changed.status == 200
    assert "77.00" in changed.text
    assert changed.headers["HX-PTag"] != tag
