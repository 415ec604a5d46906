"""Signing in and out, and what a session is."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from advancia.core.db import db, unit_of_work
from advancia.identity.views import WRONG
from tests.support.pages import InProcess, Page


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="5.00")


def log_in(page, email, password, **more):
    page.get("/login")
    return page.post("/login", {"email": email, "password": password, **more})


def test_the_right_password_opens_the_wallet(page, amara):
    assert log_in(page, amara.email.upper(), amara.password).location == "/wallet"
    assert "Amara Okafor" in page.get("/wallet").text


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(page, amara):
    wrong, unknown = (
        log_in(page, amara.email, "not it at all"),
        log_in(page, "x" + amara.email, "not it at all"),
    )

    assert wrong.status == unknown.status == 422
    assert WRONG in wrong.text
    assert wrong.text.replace(amara.email, "") == unknown.text.replace("x" + amara.email, "")
    assert wrong.one("#email")["value"] == amara.email


def test_a_password_typed_on_another_keyboard_is_the_same(app, page):
    from advancia.identity.services import passwords

    assert passwords.matches(
        passwords.hashed("e\u0301t\u00e9 \ufb01n du monde"), "\u00e9te\u0301 fin du monde"
    )


def test_five_failures_lock_the_account_for_fifteen_minutes_from_every_address(app, amara):
    for _ in range(5):
        assert log_in(Page(InProcess(app)), amara.email, "wrong").status == 422
    refused = log_in(Page(InProcess(app)), amara.email, amara.password)
    assert refused.status == 429
    assert "Wait 15 minutes" in refused.text

    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE counted_try SET tried_at = tried_at - interval '15 minutes' WHERE key = :e"),
            {"e": amara.email},
        )
    assert log_in(Page(InProcess(app)), amara.email, amara.password).location == "/wallet"


def test_five_failures_lock_the_address_for_every_account(page, amara):
    for number in range(5):
        log_in(page, f"nobody-{number}@test.example", "wrong")

    assert log_in(page, amara.email, amara.password).status == 429


def test_the_many_addresses_of_one_ipv6_network_are_counted_as_one(app, amara):
    network = f"2001:db8:{random.randrange(16**4):x}:{random.randrange(16**4):x}"
    for number in range(5):
        stranger = Page(InProcess(app))
        stranger.transport.client.environ_base["REMOTE_ADDR"] = f"{network}:{number}::1"
        log_in(stranger, f"nobody-{number}@test.example", "wrong")
    near, far = Page(InProcess(app)), Page(InProcess(app))
    near.transport.client.environ_base["REMOTE_ADDR"] = f"{network}:ffff::1"
    far.transport.client.environ_base["REMOTE_ADDR"] = f"2001:db9:{network.split(':', 2)[2]}::1"

    assert log_in(near, amara.email, amara.password).status == 429
    assert log_in(far, amara.email, amara.password).status == 303


def test_losing_the_cache_does_not_forget_failures(app, settings, amara):
    from redis import Redis

    for _ in range(5):
        log_in(Page(InProcess(app)), amara.email, "wrong")
    Redis.from_url(settings.redis_url).flushdb()

    assert log_in(Page(InProcess(app)), amara.email, amara.password).status == 429


def test_racing_tries_cannot_pass_the_limit_together(app, amara):
    pages = [Page(InProcess(app)) for _ in range(20)]
    for page in pages:
        page.get("/login")

    def attempt(page):
        return page.post("/login", {"email": amara.email, "password": "wrong"}).status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(attempt, pages))

    assert statuses.count(422) == 5
    assert statuses.count(429) == 15


def test_signing_in_gives_a_new_session_and_throws_the_old_cookie_away(app, page, amara):
    page.get("/login")
    before = page.csrf_token
    log_in(page, amara.email, amara.password)
    page.get("/transfers/new")

    assert page.csrf_token != before


def test_signing_out_ends_the_session_in_the_database(app, page, amara):
    log_in(page, amara.email, amara.password)
    stolen = page.transport.client.get_cookie("session").value
    opened = page.get("/wallet")
    assert page.submit_form(opened, "form[action$='/logout']").location == "/login"
    assert page.get("/wallet").status == 303

    page.transport.client.set_cookie("session", stolen)
    assert page.get("/wallet").status == 303


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE user_session SET last_used_at = last_used_at - interval '61 minutes' WHERE user_id = :id",
        "UPDATE user_session SET expires_at = now() WHERE user_id = :id",
        "UPDATE user_session SET ended_at = now() WHERE user_id = :id",
        "UPDATE users SET suspended_at = now() WHERE id = :id",
    ],
    ids=["idle for an hour", "a day old", "ended", "suspended"],
)
def test_a_session_ends_with_the_next_request(app, page, amara, change):
    log_in(page, amara.email, amara.password)
    assert page.get("/wallet").status == 200
    with app.app_context(), unit_of_work() as session:
        session.execute(text(change), {"id": amara.id})

    assert page.get("/wallet").status == 303


def test_polling_does_not_keep_a_session_alive(app, page, amara):
    log_in(page, amara.email, amara.password)

    def last_used():
        with app.app_context():
            return db.session.scalar(
                text("SELECT last_used_at FROM user_session WHERE user_id = :id"), {"id": amara.id}
            )

    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE user_session SET last_used_at = now() - cast(:age as interval) WHERE user_id = :id"),
            {"id": amara.id, "age": timedelta(minutes=5)},
        )
    before = last_used()
    page.get("/wallet", htmx_target="div#live", headers={"HX-PTag": "x"})
    assert last_used() == before
    page.get("/history")
    assert last_used() > before


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/history?asset=BTC", "/history?asset=BTC"),
        ("https://evil.example/", "/wallet"),
        ("//evil.example/", "/wallet"),
        ("/\\evil.example/", "/wallet"),
        ("", "/wallet"),
    ],
)
def test_after_signing_in_one_gets_where_one_wanted_but_never_to_another_site(page, amara, wanted, leads_to):
    assert log_in(page, amara.email, amara.password, next=wanted).location == leads_to


def test_htmx_is_led_by_the_same_address_as_a_browser(app, amara):
    browser, htmx = Page(InProcess(app)), Page(InProcess(app))
    led = log_in(browser, amara.email, amara.password, next="/history?asset=\u043b\u0438").location
    htmx.get("/login")
    typed = {"email": amara.email, "password": amara.password, "next": "/history?asset=\u043b\u0438"}

    assert led.isascii()
    assert htmx.post("/login", typed, htmx_target="form#login-form").location == led


def test_the_cookie_is_kept_from_scripts_and_other_sites(app, page):
    raw = page.get("/login")

    assert "HttpOnly" in raw.headers["Set-Cookie"]
    assert "SameSite=Lax" in raw.headers["Set-Cookie"]


def test_a_right_password_for_an_unproved_address_leads_back_to_the_code(page):
    from tests.identity.test_sign_up import fresh, sign_up

    email = fresh()
    sign_up(page, email)
    page.transport.client.delete_cookie("session")

    assert log_in(page, email, "a long password for tests").location == "/verify-email"
