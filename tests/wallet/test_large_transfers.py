"""Sending much: whoever sits there proves anew that it is they, and nothing that was typed is lost over it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from advancia.core.large_amounts import LARGEST_WITHOUT
from advancia.core.money import ASSETS, Money
from advancia.wallet.transfers.step_up import needs_proof
from tests.support.factors import code, enrol_totp, let_minutes_pass, sign_in_with_code
from tests.support.pages import InProcess, Page


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="5000.00")


@pytest.fixture
def bilal(customer):
    return customer("Bilal Haddad")


def review_of(page, recipient, amount):
    review = page.submit(
        "/transfers/new", recipient=recipient.email, amount=amount, asset="USD", note="For the roof"
    )
    return page.follow(review)


def test_every_asset_has_its_figure():
    assert set(LARGEST_WITHOUT) == set(ASSETS)
    assert not needs_proof(Money.of("1000.00", "USD"))
    assert needs_proof(Money.of("1000.01", "USD"))


def test_soon_after_the_sign_in_nothing_more_is_asked(page_of, amara, bilal, books):
    page = page_of(amara)
    page.submit_form(review_of(page, bilal, "1000.01"))

    assert str(books.available(bilal)) == "1,000.01 USD"


def test_up_to_the_figure_nothing_is_asked_later_either(app, page_of, amara, bilal, books):
    page = page_of(amara)
    let_minutes_pass(app, amara)
    page.submit_form(review_of(page, bilal, "1000.00"))

    assert str(books.available(bilal)) == "1,000.00 USD"


def test_above_it_the_second_factor_is_asked_for_and_leads_back_to_the_review(app, amara, bilal, books):
    secret, page = enrol_totp(app, amara), Page(InProcess(app))
    sign_in_with_code(page, amara, secret, step=-1)
    let_minutes_pass(app, amara)
    review = review_of(page, bilal, "1500.00")
    assert "we first ask for your second factor" in review.text

    asked = page.submit_form(review)
    assert asked.location.startswith("/confirm?next=/transfers/review?request_id%3D")
    assert books.entry_count(bilal) == 0
    back = page.submit_form(page.follow(asked), code=code(secret))
    assert back.location.startswith("/transfers/review?request_id=")
    again = page.follow(back)
    assert "1,500.00" in again.text
    assert "For the roof" in again.text
    assert "we first ask" not in again.text

    assert page.submit_form(again).location.startswith("/transfers/")
    assert str(books.available(bilal)) == "1,500.00 USD"


def test_htmx_is_led_the_same_way(app, page_of, amara, bilal, books):
    page = page_of(amara)
    let_minutes_pass(app, amara)
    review = review_of(page, bilal, "1500.00")
    fields = {each["name"]: each["value"] for each in review.one("#transfer-review").select("input[name]")}

    answer = page.post("/transfers", fields, htmx_target="form#transfer-review")
    assert answer.status == 204
    assert answer.location.startswith("/confirm?next=")
    assert books.entry_count(bilal) == 0


def test_whoever_has_no_second_factor_gives_the_password_and_is_told_to_add_one(
    app, page_of, amara, bilal, books
):
    page = page_of(amara)
    let_minutes_pass(app, amara)
    review = review_of(page, bilal, "1500.00")
    assert "we first ask for your password" in review.text

    asked = page.follow(page.submit_form(review))
    assert asked.one("#password")
    assert asked.one("main a[href='/settings/security']")
    back = page.submit_form(asked, password=amara.password)
    page.submit_form(page.follow(back))
    assert str(books.available(bilal)) == "1,500.00 USD"


def test_sending_the_form_past_the_review_asks_as_well(app, page_of, amara, bilal, books):
    from uuid import uuid4

    page = page_of(amara)
    page.get("/transfers/new")
    let_minutes_pass(app, amara)
    fields = {
        "recipient": bilal.email,
        "asset": "USD",
        "amount": "1500.00",
        "note": "",
        "request_id": str(uuid4()),
    }

    assert page.post("/transfers", fields).location.startswith("/confirm?next=")
    assert books.entry_count(bilal) == 0


def test_what_is_sent_bit_by_bit_counts_together_until_the_next_proof(app, amara, bilal, books):
    secret, page = enrol_totp(app, amara), Page(InProcess(app))
    sign_in_with_code(page, amara, secret, step=-1)
    let_minutes_pass(app, amara)
    assert page.submit_form(review_of(page, bilal, "600.00")).location.startswith("/transfers/")
    assert page.submit_form(review_of(page, bilal, "400.00")).location.startswith("/transfers/")

    review = review_of(page, bilal, "0.01")
    assert "we first ask for your second factor" in review.text
    asked = page.submit_form(review)
    assert asked.location.startswith("/confirm?next=/transfers/review?request_id%3D")
    assert str(books.available(bilal)) == "1,000.00 USD"

    back = page.submit_form(page.follow(asked), code=code(secret))
    assert page.submit_form(page.follow(back)).location.startswith("/transfers/")
    assert str(books.available(bilal)) == "1,000.01 USD"


def test_many_at_once_send_no_more_without_a_proof_than_one_after_another(app, page_of, amara, bilal, books):
    pages = [page_of(amara) for _ in range(4)]
    forms = [page.get("/transfers/new") for page in pages]
    let_minutes_pass(app, amara)
    fields = {"recipient": bilal.email, "amount": "600.00", "asset": "USD"}
    reviews = [page.follow(page.submit_form(form, **fields)) for page, form in zip(pages, forms, strict=True)]

    with ThreadPoolExecutor(len(pages)) as pool:
        answers = list(
            pool.map(lambda each: each[0].submit_form(each[1]).location, zip(pages, reviews, strict=True))
        )

    assert sum(answer.startswith("/confirm?") for answer in answers) == len(pages) - 1
    assert str(books.available(bilal)) == "600.00 USD"
