"""Limits on how often routes may be called, by account and by address, counted in Valkey/Redis.

They keep the pages usable; what must not be lost with the cache (failed sign-ins, codes sent) is counted in
the database by its own feature.
"""

from __future__ import annotations

import math
import time
from datetime import timedelta
from enum import StrEnum
from typing import Any

from flask import Flask, Response, current_app, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
from flask_login import current_user

from advancia.config import Settings
from advancia.core.addresses import counted_as
from advancia.core.errors import LimitReached
from advancia.web import access
from advancia.web.requests import SAFE_METHODS

PATIENCE_SECONDS = 0.5


class Group(StrEnum):
    """Routes that are counted together."""

    PAGES = "pages"  # looking
    CHANGES = "changes"  # what somebody who is signed in asks for
    DOORS = "doors"  # forms for whoever is not: signing in and up, codes, forgotten passwords
    MACHINES = "machines"  # webhooks, probes, reports


# To one caller; a route may ask for less.
ALLOWED = {
    Group.PAGES: "1200 per minute",
    Group.CHANGES: "300 per minute",
    Group.DOORS: "120 per minute",
    Group.MACHINES: "1200 per minute",
}
ALLOWED_TO_AN_ADDRESS = "12000 per minute"  # of everything, however many accounts are signed in there


def caller() -> str:
    """Who is counted: the account when signed in, else the address."""
    if current_user.is_authenticated:
        return f"user:{current_user.id}"
    return address()


def address() -> str:
    return f"address:{counted_as(request.remote_addr)}"


def group() -> Group:
    """The group that the route of this request belongs to."""
    declared = access.access_of(current_app.view_functions.get(request.endpoint or ""))
    if declared is access.Access.MACHINE:
        return Group.MACHINES
    if request.method in SAFE_METHODS:
        return Group.PAGES
    is_door = declared is access.Access.PUBLIC and not current_user.is_authenticated
    return Group.DOORS if is_door else Group.CHANGES


def _limits() -> list[Any]:
    return [
        ApplicationLimit(
            lambda: ALLOWED[group()], key_function=caller, scope=lambda _endpoint: group().value
        ),
        ApplicationLimit(lambda: ALLOWED_TO_AN_ADDRESS, key_function=address, scope="everything"),
    ]


limiter = Limiter(
    key_func=caller,
    application_limits=_limits(),
    # Without the cache the same limits are kept per process instead of not at all.
    in_memory_fallback=_limits(),
    in_memory_fallback_enabled=True,
    swallow_errors=True,
)


def init_app(app: Flask, settings: Settings) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = settings.limiter_url
    app.config["RATELIMIT_STRATEGY"] = "moving-window"
    app.config["RATELIMIT_KEY_PREFIX"] = "limits"
    # A cache that hangs costs one request this long, and then counts as gone for a while.
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {
        "socket_connect_timeout": PATIENCE_SECONDS,
        "socket_timeout": PATIENCE_SECONDS,
    }
    limiter.init_app(app)


def true_wait(breach: RateLimitExceeded) -> timedelta:
    """How long until the next call is allowed: the oldest one counted must have left the window, not all of them."""
    breached = limiter.current_limit
    try:
        seconds = breached.reset_at - time.time() if breached is not None else 0.0
    except Exception:  # noqa: BLE001 - the cache went away between the count and the question
        seconds = 0.0
    longest = breach.limit.limit.get_expiry()
    return timedelta(seconds=min(max(1.0, seconds or longest), longest))


def come_back(response: Response, refusal: LimitReached) -> Response:
    """Tell programs as well when it may be asked again."""
    if refusal.wait is not None:
        response.headers["Retry-After"] = in_seconds(refusal.wait)
    return response


def in_seconds(wait: timedelta) -> str:
    """As the header `Retry-After` wants it, and never too short."""
    return str(max(1, math.ceil(wait.total_seconds())))
