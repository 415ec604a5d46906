"""A browser that was here before is known again, and its owner hears of one that was not."""

from __future__ import annotations

import pytest

from advancia.core import outbox
from advancia.core.db import unit_of_work
from advancia.core.jobs import Job
from tests.identity.conftest import FIREFOX, IPHONE
from tests.identity.test_sign_in import log_in
from tests.identity.test_sign_up import fresh, sign_up
from tests.support.pages import InProcess, Page
from tests.support.work import waiting_secret

NEW = "A new device signed in to your account"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def notices_to(rows):
    def told(email):
        mails = rows(
            "SELECT payload FROM outbox WHERE kind = 'send_email' AND payload->>'template' = 'security_notice'"
            " AND payload->>'to' = :email ORDER BY id",
            email=email,
        )
        return [mail.payload["facts"] for mail in mails]

    return told


def sign_out(page):
    page.submit_form(page.get("/wallet"), "form[action$='/logout']")


def test_a_new_browser_is_told_of_once(browser_of, amara, notices_to):
    page = browser_of(amara, IPHONE, "203.0.113.9")
    for _ in range(2):
        sign_out(page)
        log_in(page, amara.email, amara.password)

    (told,) = notices_to(amara.email)
    assert told["title"] == NEW
    assert ["Device", "Safari on iPhone"] in told["lines"]
    assert ["From the address", "203.0.113.9"] in told["lines"]


def test_the_browser_that_the_account_was_made_in_is_no_news(app, page, notices_to):
    email = fresh()
    sign_up(page, email)
    page.submit("/verify-email", "form#verify-form", code=waiting_secret(app, to=email)["code"])
    sign_out(page)
    log_in(page, email, "a long password for tests")

    assert notices_to(email) == []


def test_a_browser_that_two_people_use_is_new_to_each(browser_of, amara, customer, notices_to):
    bilal = customer("Bilal Haddad")
    page = browser_of(amara)
    sign_out(page)
    log_in(page, bilal.email, bilal.password)

    assert len(notices_to(amara.email)) == len(notices_to(bilal.email)) == 1


@pytest.mark.parametrize("forged", ["", "x", "a" * 43, "a" * 3000, "\u00e9" * 43])
def test_a_cookie_that_we_never_gave_is_not_believed(app, amara, notices_to, forged):
    page = Page(InProcess(app))
    page.transport.client.set_cookie("device", forged)
    assert log_in(page, amara.email, amara.password).status == 303

    assert len(notices_to(amara.email)) == 1


def test_the_cookie_is_kept_a_year_from_scripts_and_other_sites_and_is_not_what_the_database_holds(
    app, amara, rows
):
    page = Page(InProcess(app))
    answer = log_in(page, amara.email, amara.password)
    cookie = next(each for each in answer.headers.getlist("Set-Cookie") if each.startswith("device="))

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert f"Max-Age={365 * 86400}" in cookie
    (device,) = rows("SELECT token_hash FROM device WHERE user_id = :id", id=amara.id)
    assert page.transport.client.get_cookie("device").value.encode() != device.token_hash


def test_an_ended_session_takes_the_memory_of_its_browser_along(browser_of, amara, notices_to):
    page, other = browser_of(amara, FIREFOX), browser_of(amara, IPHONE)
    page.submit_form(page.get("/settings/sessions"), ".devices form")
    log_in(other, amara.email, amara.password)

    assert len(notices_to(amara.email)) == 3


def test_signing_out_elsewhere_forgets_the_other_browsers_and_not_this_one(browser_of, amara, notices_to):
    page, other = browser_of(amara, FIREFOX), browser_of(amara, IPHONE)
    page.submit("/settings/sessions", "form[action$='/others/end']")
    sign_out(page)
    log_in(page, amara.email, amara.password)
    assert len(notices_to(amara.email)) == 2

    log_in(other, amara.email, amara.password)
    assert len(notices_to(amara.email)) == 3


def test_a_device_is_forgotten_a_year_after_the_last_sign_in(
    app, browser_of, amara, notices_to, change, work
):
    page, other = browser_of(amara, FIREFOX), browser_of(amara, IPHONE)
    age = "UPDATE device SET last_seen_at = now() - make_interval(days => :days) WHERE user_id = :id AND id "
    change(age + "= (SELECT min(id) FROM device WHERE user_id = :id)", days=366, id=amara.id)
    change(age + "= (SELECT max(id) FROM device WHERE user_id = :id)", days=364, id=amara.id)
    with app.app_context(), unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
    work()
    for each in (page, other):
        sign_out(each)
        log_in(each, amara.email, amara.password)

    assert [dict(told["lines"])["Device"] for told in notices_to(amara.email)][2:] == ["Firefox on Linux"]
