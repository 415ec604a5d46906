"""Limits on how often a route may be called, by address and by account, counted in Valkey/Redis.

They keep the pages usable; what must not be lost with the cache (failed sign-ins, codes sent) is counted in
the database by its own feature.
"""

from __future__ import annotations

from flask import Flask, request
from flask_limiter import Limiter
from flask_login import current_user

from advancia.config import Settings
from advancia.core.addresses import counted_as

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
