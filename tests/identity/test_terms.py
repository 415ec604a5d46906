"""New terms: who accepted older ones is asked before anything with money, and never kept from their own settings."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from advancia.core.db import db, unit_of_work
from advancia.web.public import TERMS_VERSION
from tests.support.pages import InProcess, Page, adopt_session
from tests.support.people import new_staff
from tests.support.recovery import audited


def had_accepted(app, person, version):
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text(
                "UPDATE users SET terms_version = :v, terms_accepted_at = now() - interval '1 year' WHERE id = :id"
            ),
            {"v": version, "id": person.id},
        )


@pytest.fixture
def amara(app, customer):
    person = customer("Amara Okafor", USD="10.00")
    had_accepted(app, person, "2025-01-01")
    return person


def test_who_accepted_older_terms_is_asked_at_the_sign_in_and_then_gets_where_they_wanted(app, page, amara):
    page.get("/login")
    signed_in = page.post(
        "/login", {"email": amara.email, "password": amara.password, "next": "/history?asset=USD"}
    )
    asked = page.follow(signed_in)
    assert asked.location == "/terms/acceptance?next=/history?asset%3DUSD"
    answer = page.submit(asked.location, "form#terms-form", terms="y")

    assert answer.location == "/history?asset=USD"
    assert page.follow(answer).status == 200
    with app.app_context():
        row = db.session.execute(
            text(
                "SELECT terms_version, now() - terms_accepted_at < interval '1 minute' FROM users WHERE id = :id"
            ),
            {"id": amara.id},
        ).one()
    assert tuple(row) == (TERMS_VERSION, True)
    assert audited(app, amara.id, "terms.accept") == 1


def test_the_box_is_theirs_to_tick(page_of, amara):
    page = page_of(amara)
    opened = page.get("/terms/acceptance")
    assert not opened.one("#terms").has_attr("checked")
    answer = page.submit_form(opened, "form#terms-form")

    assert answer.status == 422
    assert "Read and accept the terms" in answer.text


def test_no_money_moves_before_they_are_accepted(app, page_of, amara, customer, books):
    page, bilal = page_of(amara), customer("Bilal Haddad")
    had_accepted(app, amara, TERMS_VERSION)
    page.get("/transfers/new")
    review = page.post(
        "/transfers/review",
        {"recipient": bilal.email, "asset": "USD", "amount": "1.00", "request_id": str(uuid4())},
    )
    review = page.follow(review) if review.status == 303 else review
    had_accepted(app, amara, "2025-01-01")
    sent = page.submit_form(review, "main form[action='/transfers']")

    assert sent.location.startswith("/terms/acceptance")
    assert str(books.available(amara)) == "10.00 USD"


def test_settings_stay_open_to_who_does_not_accept(page_of, amara):
    page = page_of(amara)

    assert {
        page.get(f"/settings/{part}").status for part in ("profile", "security", "sessions", "password")
    } == {200}


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_accepting_leads_to_no_other_site(page_of, amara, wanted):
    page = page_of(amara)
    page.get("/terms/acceptance")

    assert page.post("/terms/acceptance", {"terms": "y", "next": wanted}).location == "/wallet"


def test_who_has_accepted_the_newest_and_staff_are_not_asked(app, page_of, customer):
    assert page_of(customer("Bilal Haddad")).get("/wallet").status == 200
    sam = new_staff(app, "admin")
    had_accepted(app, sam, "2025-01-01")

    assert adopt_session(Page(InProcess(app)), app, sam).get("/admin/").status == 200
