"""Attacks that worked once, or nearly: each is tried here again."""

from __future__ import annotations

import time

import pytest

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
