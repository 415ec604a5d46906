"""Limits: whoever tries passwords is stopped. Looked at last, since it uses up this machine's tries for a moment."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from advancia.core import canaries
from advancia.core.db import unit_of_work
from advancia.ops.launch import browser, probes
from advancia.ops.launch.addresses import is_global
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, weak, wrong

TRIES = 10
ONE_FOR_ALL = (
    "That is an address of your own network. If it is a proxy's, all customers share its tries: correct "
    "TRUSTED_PROXIES. If this machine reaches its own public address from within, all is well."
)


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
    words = f"{words} They were counted as coming from {seen_as or 'nowhere'}."
    if is_global(look.address.hostname or "") and not is_global(seen_as or ""):
        return weak(words, ONE_FOR_ALL)
    return fine(words)


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
