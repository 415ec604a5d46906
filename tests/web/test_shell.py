"""The outer shell: headers, errors, and what a request costs."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from advancia.core.db import db
from advancia.web import filters
from advancia.web.access import public
from tests.support.pages import InProcess, Page


def directives(answer):
    policy = answer.headers["Content-Security-Policy"]
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


def test_the_policy_allows_scripts_by_this_responses_nonce_alone(page):
    first, second = page.get("/"), page.get("/")
    policy = directives(first)

    nonce = policy["script-src"][0].removeprefix("'nonce-").rstrip("'")
    assert all(script["nonce"] == nonce for script in first.all("script"))
    assert policy["default-src"] == ["'none'"]
    assert policy["style-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == ["'none'"]
    assert "unsafe" not in first.headers["Content-Security-Policy"]
    assert directives(second)["script-src"] != policy["script-src"]


def test_every_answer_carries_the_headers(page):
    for path in ("/", "/login", "/nowhere", "/health", "/static/js/app.js"):
        headers = page.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert headers["Referrer-Policy"]


def test_pages_of_a_customer_are_kept_by_no_cache(customer, page_of):
    page = page_of(customer())

    assert page.get("/wallet").headers["Cache-Control"] == "no-store"


def test_a_page_with_a_token_in_its_form_is_kept_by_no_cache(page):
    assert page.get("/").headers["Cache-Control"] == "no-cache"
    assert page.get("/login").headers["Cache-Control"] == "no-store"


def test_static_files_are_kept_for_a_year_under_an_address_that_changes_with_them(page):
    address = page.get("/").all("script[src]")[0]["src"]

    assert re.search(r"\?v=[0-9a-f]{12}$", address)
    assert "max-age=31536000" in page.get(address).headers["Cache-Control"]


def test_a_form_may_lead_to_the_checkout_and_nowhere_else(page, settings):
    assert directives(page.get("/"))["form-action"] == ["'self'", settings.sandbox_url]


def test_behind_tls_the_cookie_is_bound_to_the_host_and_the_browser_told_to_stay(environ):
    from advancia.app import create_app
    from advancia.config import load_settings

    app = create_app(load_settings({**environ, "PUBLIC_URL": "https://pay.example.com"}))
    answer = Page(InProcess(app)).get("/login")

    assert answer.headers["Set-Cookie"].startswith("__Host-session=")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.parametrize(("proxies", "warned"), [("0", True), ("1", False)])
def test_a_production_that_takes_its_proxy_for_every_customer_is_warned(
    environ, caplog, monkeypatch, proxies, warned
):
    from advancia.app import create_app
    from advancia.config import load_settings

    monkeypatch.setattr("advancia.core.log.configure", lambda _level: None)  # which would take caplog's place
    strong = "0123456789abcdef" * 4
    create_app(
        load_settings(
            {
                **environ,
                "ADVANCIA_ENV": "production",
                "PUBLIC_URL": "https://pay.example.com",
                "SECRET_KEY": strong,
                "SEAL_KEYS": f"2026a:{strong}",
                "FIELD_KEYS": f"2026a:{strong}",
                "SMTP_URL": "smtp://mail.example.com",
                "TRUSTED_PROXIES": proxies,
            }
        )
    )

    assert any("no_trusted_proxy" in str(record.msg) for record in caplog.records) is warned


@pytest.fixture
def broken(settings):
    """A browser on a product with pages that fail."""
    from advancia.app import create_app

    app = create_app(settings)
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @public
    def fails():
        raise ZeroDivisionError("secret detail")

    @public
    def has_no_database():
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    app.add_url_rule("/fails", "fails", fails)
    app.add_url_rule("/no-database", "no_database", has_no_database)
    return Page(InProcess(app))


@pytest.mark.parametrize(("path", "status"), [("/fails", 500), ("/no-database", 503)])
def test_an_error_is_a_page_with_a_reference_that_stands_in_the_log(broken, path, status, caplog):
    answer = broken.get(path)

    assert answer.status == status
    assert "either wholly or not at all" in answer.one("main").text
    assert "secret detail" not in answer.html
    assert answer.headers["X-Request-ID"][:12] in answer.text
    assert any(answer.headers["X-Request-ID"] in str(record.msg) for record in caplog.records)


def test_without_the_database_a_signed_in_customer_still_gets_a_page(customer, page_of, monkeypatch):
    def gone(*_):
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    page = page_of(customer())
    monkeypatch.setattr("advancia.identity.queries.open_session", gone)
    answer = page.get("/wallet")

    assert answer.status == 503
    assert answer.one("main h1").text == "We will be right back"
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in answer.headers
    assert int(answer.headers["Retry-After"]) > 0


def test_an_error_is_an_alert_for_htmx(broken):
    answer = broken.get("/fails", htmx_target="div#live")

    assert answer.status == 500
    assert answer.headers["HX-Retarget"] == "#alerts"
    assert "<html" not in answer.html
    assert answer.headers["X-Request-ID"][:12] in answer.text


def test_a_wrong_method_is_told_which_are_right(page):
    answer = page.get("/logout")

    assert answer.status == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_too_many_requests_are_told_when_to_come_back(app, page):
    page.get("/signup")
    answers = [page.post("/signup", {}) for _ in range(31)]

    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "Wait" in answers[-1].text


def test_a_poll_that_finds_nothing_new_costs_three_reads(app, customer, page_of):
    page = page_of(customer(USD="1.00"))
    tag = page.get("/wallet").headers["HX-PTag"]
    statements = []
    with app.app_context():
        engine = db.engine

    def note(_connection, _cursor, statement, *_rest):
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        answer = page.get("/wallet", htmx_target="div#live", headers={"HX-PTag": tag})
    finally:
        event.remove(engine, "before_cursor_execute", note)

    assert answer.status == 304
    # the session with its person, the version of the accounts, the deposits on their way
    assert len(statements) == 3, statements


def test_times_are_written_as_people_write_them():
    from datetime import UTC, datetime

    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    written = [
        filters.human_time(moment, now)
        for moment in (
            datetime(2026, 11, 24, 10, 31, tzinfo=UTC),
            datetime(2026, 11, 23, 9, 12, tzinfo=UTC),
            datetime(2026, 11, 3, 14, 0, tzinfo=UTC),
            datetime(2025, 11, 21, 9, 0, tzinfo=UTC),
        )
    ]

    assert written == ["Today 10:31", "Yesterday 09:12", "3 Nov 14:00", "21 Nov 2025"]
    assert filters.exact_time(now) == "24 November 2026, 12:00:00 UTC"
