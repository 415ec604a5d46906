"""Limits: whoever tries passwords is stopped. Looked at last, since it uses up this machine's tries for a moment."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from advancia.core import canaries
from advancia.core.db import unit_of_work
from advancia.ops.launch import browser, probes
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, wrong

TRIES = 10


@check("Whoever tries passwords is stopped", weight=Weight.BLOCKER)
def rate_limits(look: Look) -> Finding:
    email = canaries.address_of(f"probe-{secrets.token_hex(8)}")
    try:
        statuses = _tried(look, email)
    finally:
        with unit_of_work() as session:
            seen_as = probes.forget(session, email=email)
    words = f"{TRIES} sign-ins in a row at an address that nobody has were answered {_in_short(statuses)}."
    if (
        HTTPStatus.TOO_MANY_REQUESTS not in statuses[: TRIES - 1]
        or statuses[-1] != HTTPStatus.TOO_MANY_REQUESTS
    ):
        return wrong(
            words, "See that the database keeps counted_try, and that no proxy answers in our place."
        )
    return fine(f"{words} They were counted as coming from {seen_as or 'nowhere'}.")


def _tried(look: Look, email: str) -> list[int]:
    with browser.Browser(look.stranger()) as stranger:
        return [
            stranger.submit("/login", email=email, password=secrets.token_urlsafe(16)).status_code
            for _ in range(TRIES)
        ]


def _in_short(statuses: list[int]) -> str:
    """`422 five times, then 429`: runs of the same status."""
    runs: list[tuple[int, int]] = []
    for status in statuses:
        if runs and runs[-1][0] == status:
            runs[-1] = (status, runs[-1][1] + 1)
        else:
            runs.append((status, 1))
    return ", then ".join(f"{status} ({times} times)" for status, times in runs)
