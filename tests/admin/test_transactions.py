"""Looking through the books: the list, one transaction, and the search over everything."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from advancia.core.db import db
from advancia.core.money import Money
from advancia.ledger import seals
from tests.support.people import give


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="100.00")


@pytest.fixture
def bilal(customer):
    return customer("Bilal Haddad")


def references(answer):
    return [cell.get_text() for cell in answer.all("#results tbody td.cut .mono")]


def test_the_list_shows_who_gave_what_to_whom(staff_page, amara, bilal, sent):
    reference = sent(amara, bilal, "30.00")

    row = staff_page("support").get(f"/admin/transactions/?customer={amara.id}").all("#results tbody tr")[0]

    assert reference in row.get_text()
    assert "Amara Okafor" in row.select("td")[1].get_text()
    assert "Bilal Haddad" in row.select("td")[2].get_text()
    assert "30.00" in row.select("td")[3].get_text()


def test_filters_stand_in_the_address_and_go_along_to_the_next_page(app, staff_page, amara, monkeypatch):
    monkeypatch.setattr("advancia.admin.transactions.views.PAGE_SIZE", 2)
    for _ in range(5):
        give(app, amara.id, Money.of("1", "BTC"))
    page = staff_page("support")

    answer = page.get(f"/admin/transactions/?customer={amara.id}&asset=BTC&kind=opening")
    pages = [references(answer)]
    while older := answer.all("a[rel=next]"):
        assert f"customer={amara.id}" in older[0]["href"]
        answer = page.get(older[0]["href"])
        pages.append(references(answer))

    assert [len(each) for each in pages] == [2, 2, 1]
    assert len({reference for shown in pages for reference in shown}) == 5


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3), ("&asset=USD", 2), ("&asset=BTC", 1), ("&kind=transfer", 1), ("&kind=deposit", 0),
        ("&since=2020-01-01", 3), ("&until=2020-01-01", 0), ("&since=2020-01-01&until=9999-12-31", 3),
        ("&asset=BTC&kind=opening&since=2020-01-01", 1),
    ],
)  # fmt: skip
def test_each_filter_keeps_what_it_says(app, staff_page, amara, bilal, sent, query, count):
    sent(amara, bilal, "30.00")
    give(app, amara.id, Money.of("1", "BTC"))

    answer = staff_page("support").get(f"/admin/transactions/?customer={amara.id}{query}")
    assert len(references(answer)) == count


def test_a_filter_without_an_index_looks_at_a_window_and_goes_on_behind_it(
    app, staff_page, amara, bilal, sent, monkeypatch
):
    reference = sent(amara, bilal, "30.00")
    for _ in range(12):
        give(app, amara.id, Money.of("1", "USD"))
    monkeypatch.setattr("advancia.ledger.staff_queries.WINDOW", 5)
    page = staff_page("support")

    answer, pages = page.get("/admin/transactions/?kind=transfer"), 1
    assert "None among the last 5" in answer.text
    while reference not in references(answer):
        answer, pages = page.get(answer.one("a[rel=next]")["href"]), pages + 1
        assert pages < 10
    assert pages == 3


@pytest.mark.parametrize(
    "query",
    ["kind=x", "asset=DOGE", "customer=x", "since=yesterday", "before=x", "before=-1", "reference=%00",
     "customer=999999999999999999", "since=2026-02-02&until=2026-01-01", "reference=transfer:nothing", "before=1"],
)  # fmt: skip
def test_an_address_that_makes_no_sense_still_gives_a_page(staff_page, query):
    assert staff_page("support").get(f"/admin/transactions/?{query}").status == 200


def test_one_transaction_is_told_as_debits_and_credits_that_come_to_the_same(
    staff_page, amara, bilal, sent, txn_id_of
):
    txn_id = txn_id_of(sent(amara, bilal, "30.00", note="Rent"))

    answer = staff_page("support").get(f"/admin/transactions/{txn_id}")

    debit, credit = answer.all("table.legs tbody tr")
    assert [cell.get_text(strip=True) for cell in debit.select("td")] == [
        "Amara Okafor",
        "30.00",
        "",
        "70.00",
    ]
    assert [cell.get_text(strip=True) for cell in credit.select("td")] == [
        "Bilal Haddad",
        "",
        "30.00",
        "30.00",
    ]
    total = answer.one("table.legs tfoot tr").get_text(" ", strip=True)
    assert total.count("30.00") == 2
    assert "Rent" in answer.text
    assert "test-request-1" in answer.text or "Request" in answer.text


def test_it_says_which_block_seals_it(app, settings, staff_page, amara, bilal, sent, txn_id_of):
    txn_id = txn_id_of(sent(amara, bilal, "30.00"))
    page = staff_page("support")
    assert "not yet" in page.get(f"/admin/transactions/{txn_id}").text

    with app.app_context():
        made = list(seals.seal(db.session(), settings.seal_keys))
    sent(amara, bilal, "1.00")
    with app.app_context():
        list(seals.seal(db.session(), settings.seal_keys))

    assert f"in block {made[-1].id}," in page.get(f"/admin/transactions/{txn_id}").text


def test_the_search_opens_the_only_thing_that_fits(staff_page, amara, bilal, sent, txn_id_of):
    reference = sent(amara, bilal, "30.00")
    txn_id = txn_id_of(reference)
    page = staff_page("support")

    for typed in (reference, reference.removeprefix("transfer:"), f"%23{txn_id}"):
        assert page.get(f"/admin/search?q={typed}").location == f"/admin/transactions/{txn_id}"
    for typed in (amara.email, f"@{amara.handle}"):
        assert page.get(f"/admin/search?q={typed}").location == f"/admin/customers/{amara.id}"


@pytest.mark.parametrize("typed", ["", "nothing like it", "%00", "#", "x" * 1000, "transfer:", "-" * 36])
def test_the_search_says_when_nothing_fits(staff_page, typed):
    answer = staff_page("support").get("/admin/search?" + urlencode({"q": typed}))

    assert answer.status == 200
    assert "Nothing fits" in answer.text or "What do you look for" in answer.text


@pytest.mark.parametrize("path", ["/admin/transactions/0", "/admin/transactions/99999999999999999999999"])
def test_there_is_no_such_transaction(staff_page, path):
    assert staff_page("admin").get(path).status == 404
