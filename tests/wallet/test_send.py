"""Sending money: enter, review, receipt."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="100.00")


@pytest.fixture
def bilal(customer):
    return customer("Bilal Haddad")


@pytest.fixture
def amara_page(page_of, amara):
    return page_of(amara)


def send(page, recipient, amount, *, asset="USD", note=""):
    """Fill in the form, follow to the review, and give the word."""
    review = page.submit("/transfers/new", recipient=recipient, amount=amount, asset=asset, note=note)
    assert review.status == 303, review.text
    return page.submit_form(page.follow(review))


def typed(bilal, **other):
    return {
        "recipient": bilal.email, "asset": "USD", "amount": "30.00", "note": "", "request_id": str(uuid4()), **other
    }  # fmt: skip


def test_money_reaches_the_other_and_both_see_it(amara, bilal, amara_page, page_of, books):
    receipt = send(amara_page, bilal.email, "30.00", note="For the tickets")

    assert re.fullmatch(r"/transfers/[0-9a-f-]{36}", receipt.location)
    shown = amara_page.follow(receipt)
    assert "Bilal Haddad" in shown.text
    assert "For the tickets" in shown.text
    assert (str(books.available(amara)), str(books.available(bilal))) == ("70.00 USD", "30.00 USD")
    assert "To Bilal Haddad" in amara_page.get("/history").text
    theirs = page_of(bilal)
    assert "From Amara Okafor" in theirs.get("/history").text
    assert theirs.get(receipt.location).status == 200
    books.prove()


def test_a_handle_reaches_them_as_well(bilal, amara_page, books):
    send(amara_page, f"@{bilal.handle.upper()}", "1")

    assert str(books.available(bilal)) == "1.00 USD"


def test_the_review_names_the_person_the_fee_and_the_total(bilal, amara_page):
    review = amara_page.follow(amara_page.submit("/transfers/new", recipient=bilal.email, amount="30"))

    assert "Send 30.00 USD to Bilal Haddad" in review.text
    assert f"@{bilal.handle}" in review.text
    assert "0.00" in review.text


def test_going_back_keeps_what_was_typed(bilal, amara_page):
    review = amara_page.follow(
        amara_page.submit("/transfers/new", recipient=bilal.email, amount="30", note="Rent")
    )
    change = next(link["href"] for link in review.all("main a") if "Change" in link.get_text())
    form = amara_page.get(change)

    assert form.one("#recipient")["value"] == bilal.email
    assert form.one("#amount")["value"] == "30"
    assert form.one("#note")["value"] == "Rent"


def test_the_back_button_keeps_it_as_well_until_it_is_sent(bilal, amara_page):
    review = amara_page.follow(amara_page.submit("/transfers/new", recipient=bilal.email, amount="30"))
    assert amara_page.get("/transfers/new").one("#amount")["value"] == "30"

    amara_page.submit_form(review)
    assert amara_page.get("/transfers/new").one("#amount").get("value", "") == ""


def test_what_is_left_of_an_earlier_try_says_so_and_is_not_taken_along_to_somebody_else(bilal, amara_page):
    amara_page.submit("/transfers/new", recipient=bilal.email, amount="30", note="For your eyes only")
    left = amara_page.get("/transfers/new")
    assert "have not sent it" in left.text

    emptied = amara_page.get(left.one("main a[href*=empty]")["href"])
    meant_for = amara_page.get("/transfers/new?to=@somebody")
    assert meant_for.one("#recipient")["value"] == "@somebody"
    for form in (emptied, meant_for):
        assert form.one("#note").get("value", "") == form.one("#amount").get("value", "") == ""
        assert "have not sent it" not in form.text


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("amount", "", "Enter an amount like 12.50"),
        ("amount", "1.005", "Enter an amount like 12.50"),
        ("amount", "100.01", "There is not enough money: 100.00 USD is available."),
        ("recipient", "", "Enter an email or a handle"),
        ("recipient", "nobody@nowhere.example", "We found nobody with that email or handle"),
        ("recipient", "@", "We found nobody with that email or handle"),
        ("note", "n" * 141, "Use at most 140 characters"),
        ("asset", "DOGE", "Not a valid choice"),
    ],
)
@pytest.mark.parametrize("path", ["/transfers/review", "/transfers"])
def test_a_refusal_explains_itself_in_the_form_and_moves_nothing(
    amara, bilal, amara_page, books, path, field, value, message
):
    amara_page.get("/transfers/new")
    answer = amara_page.post(path, typed(bilal, **{field: value}), htmx_target="form#transfer-form")

    assert answer.status == 422
    assert message in answer.one("form#transfer-form [role=alert]").text
    assert f"{field}-error" in answer.one(f"#{field}")["aria-describedby"]
    if field != "asset":
        assert answer.one(f"#{field}").get("value", "") == value
    assert "<html" not in answer.html
    assert str(books.available(amara)) == "100.00 USD"


def test_nobody_sends_to_themselves(amara, amara_page, books):
    amara_page.get("/transfers/new")
    answer = amara_page.post("/transfers", typed(amara))

    assert answer.status == 422
    assert "That is you" in answer.text
    assert str(books.available(amara)) == "100.00 USD"


def test_the_same_form_sent_twice_is_one_transfer(amara, bilal, amara_page, books):
    amara_page.get("/transfers/new")
    form = typed(bilal)
    first, second = amara_page.post("/transfers", form), amara_page.post("/transfers", form)

    assert first.location == second.location
    assert str(books.available(bilal)) == "30.00 USD"


def test_the_same_form_with_another_amount_is_refused_in_words(amara, bilal, amara_page, books):
    amara_page.get("/transfers/new")
    form = typed(bilal)
    amara_page.post("/transfers", form)
    answer = amara_page.post("/transfers", {**form, "amount": "31.00"})

    assert answer.status == 422
    assert "This form has been sent before" in answer.text
    assert answer.one("input[name=request_id]")["value"] != form["request_id"]
    assert str(books.available(bilal)) == "30.00 USD"


def test_a_form_whose_id_was_tampered_with_gets_a_new_one(bilal, amara_page):
    amara_page.get("/transfers/new")
    answer = amara_page.post("/transfers", typed(bilal, request_id="x"))

    assert answer.status == 422
    assert len(answer.one("input[name=request_id]")["value"]) == 36


@pytest.mark.parametrize("path", ["/transfers/review", "/transfers"])
def test_a_form_with_a_stale_token_is_refused_with_what_was_typed_and_can_be_sent_again(
    bilal, amara, amara_page, books, path
):
    answer = amara_page.post(path, typed(bilal, csrf_token="stale", note="For the tickets"))

    assert answer.status == 422
    assert "open for too long. Check it and send it again" in answer.one("#transfer-form [role=alert]").text
    assert answer.one("#note")["value"] == "For the tickets"
    assert str(books.available(amara)) == "100.00 USD"
    assert amara_page.submit_form(answer).location.startswith("/transfers/review")


def test_a_transfer_is_nobody_elses_to_see(amara_page, bilal, customer, page_of):
    receipt = send(amara_page, bilal.email, "5")

    assert page_of(customer("Chidi Anagonye")).get(receipt.location).status == 404


def test_both_are_told_by_mail(amara, bilal, amara_page, work, settings):
    send(amara_page, bilal.email, "5", note="Coffee")
    work()

    mails = [path.read_text() for path in (settings.var / "mail").glob("*.eml")]
    assert any(amara.email in mail and "Bilal Haddad" in mail for mail in mails)
    assert any(bilal.email in mail and "Amara Okafor" in mail for mail in mails)


@pytest.mark.parametrize(
    ("code", "amount"),
    [("ETH", "0.000000000000000001"), ("BTC", "0.00000001"), ("USDT", "0.000001"), ("ADV", "0.01")],
)
def test_the_smallest_unit_of_every_asset_can_be_sent(customer, page_of, bilal, books, code, amount):
    amara = customer("Amara Okafor", **{code: "1"})
    receipt = send(page_of(amara), bilal.email, amount, asset=code)

    assert str(books.available(bilal, code)) == f"{amount} {code}"
    assert receipt.status == 303
