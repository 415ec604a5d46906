"""Limits on how often a route may be called, by address and by account, counted in Valkey/Redis.

They keep the pages usable; what must not be lost with the cache (failed sign-ins, codes sent) is counted in
the database by its own feature.
"""

from __future__ import annotations

import math
import time
from datetime import timedelta

from flask import Flask, Response, request
from flask_limiter import Limiter, RateLimitExceeded
from flask_login import current_user

from advancia.config import Settings
from advancia.core.addresses import counted_as
from advancia.core.errors import LimitReached

PATIENCE_SECONDS = 0.5


def caller() -> str:
    """Who is counted: the account when signed in, else the address."""
    if current_user.is_authenticated:
        return f"user:{current_user.id}"
    return f"address:{counted_as(request.remote_addr)}"


limiter = Limiter(key_func=caller, default_limits=["600 per minute"], swallow_errors=True)


def init_app(app: Flask, settings: Settings) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = settings.limiter_url
    app.config["RATELIMIT_STRATEGY"] = "moving-window"
    app.config["RATELIMIT_KEY_PREFIX"] = "limits"
    # A cache that hangs costs one request this long, and then counts as gone for a while.
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {
        "socket_connect_timeout": PATIENCE_SECONDS,
        "socket_timeout": PATIENCE_SECONDS,
    }
    # Without the cache the limits are kept per process instead of not at all.
    app.config["RATELIMIT_IN_MEMORY_FALLBACK_ENABLED"] = True
    app.config["RATELIMIT_IN_MEMORY_FALLBACK"] = ["600 per minute"]
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
