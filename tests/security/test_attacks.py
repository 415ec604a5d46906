"""Attacks that worked once, or nearly: each is tried here again."""

from __future__ import annotations

import time

import pytest

from advancia.core import log
from advancia.core.db import unit_of_work
from advancia.identity.sessions import services as sessions
from advancia.web.forms import cleaned

MARKS = "a" + "\u0301" * 15_000 + "\u0316" * 15_000  # in an order which takes seconds to mend
AT_ONCE_SECONDS = 2.0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/signup", "name"),
        ("/login", "email"),
        ("/password/forgot", "email"),
        ("/password/check", "name"),
    ],
)
def test_a_field_full_of_accents_keeps_nobody_waiting(page, path, field):
    page.get("/signup")
    # As one part of a multipart body, which needs no more than two bytes for each.
    began = time.perf_counter()
    raw = page.transport.client.post(
        path,
        data={field: MARKS, "password": "a long password for tests", "csrf_token": page.csrf_token},
        content_type="multipart/form-data",
    )
    assert raw.status_code in (200, 422)
    assert time.perf_counter() - began < AT_ONCE_SECONDS


def test_accents_that_a_language_uses_are_kept():
    assert cleaned("Việt  Hà́") == "Việt  Hà́"
    assert cleaned("e" + "\u0301" + "\u0323" * 29) == cleaned("e" + "\u0301" + "\u0323" * 29 + "\u0323" * 500)


@pytest.mark.parametrize("header", ["Referer", "Origin", "HX-Current-URL"])
@pytest.mark.parametrize("path", ["/settings/profile", "/logout"])
def test_an_address_that_is_none_breaks_nothing(page, header, path):
    page.get("/login")
    answer = page.post(path, {"csrf_token": "forged"}, headers={header: "http://[::1"})
    assert answer.status in (303, 400)
    assert "http://[" not in answer.headers.get("Location", "")


def test_a_long_word_is_written_into_the_log_without_delay():
    began = time.perf_counter()
    event = log.redact(None, "info", {"error": "a" * 60_000 + " of amara@test.example"})
    assert event["error"].endswith(" of a…@test.example")
    assert time.perf_counter() - began < AT_ONCE_SECONDS


def test_the_password_that_somebody_has_is_not_kept_for_a_form_that_came_too_late(app, customer, page_of):
    amara = customer()
    page = page_of(amara)
    page.get("/settings/password")
    with app.app_context(), unit_of_work() as session:
        sessions.end_all(session, user_id=amara.id)

    sent_away = page.post(
        "/settings/password",
        {"current": amara.password, "password": "quite another long password"},
        headers={"Origin": "http://localhost", "Referer": "http://localhost/settings/password"},
    )

    assert sent_away.location == "/login?next=/settings/password"
    assert page.transport.client.get_cookie("typed") is None
