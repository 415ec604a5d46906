"""How long to wait, in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from advancia.core.errors import in_words


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (timedelta(0), "1 second"),
        (timedelta(milliseconds=1), "1 second"),
        (timedelta(seconds=1.2), "2 seconds"),
        (timedelta(seconds=59), "59 seconds"),
        (timedelta(seconds=59.5), "1 minute"),
        (timedelta(seconds=61), "2 minutes"),
        (timedelta(minutes=14, seconds=59.9), "15 minutes"),
        (timedelta(hours=1, minutes=1), "61 minutes"),
        (timedelta(hours=2), "120 minutes"),
        (timedelta(hours=2, seconds=1), "3 hours"),
    ],
)
def test_a_wait_is_never_told_too_short(wait, words):
    assert in_words(wait) == words
