"""What is closed while money is paused: everything but signing in, status, help and health, and the pages of staff.

While the whole database is being replaced, the pages of staff and the sign-in are closed as well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import psycopg
from flask import Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError

from advancia.core.db import db
from advancia.core.lockdown import MoneyPaused, Watch
from advancia.web import errors
from advancia.web.access import Access, access_of
from advancia.web.errors import Words

RETRY_SECONDS = 60

# Open also while the database is being replaced: they ask it for nothing, or can do without its answer.
ALWAYS_OPEN = frozenset({
    None, "static", "ops.health", "ops.api_health", "ops.status", "public.home", "public.terms", "public.help",
    "well_known.security_txt", "reports.receive",
})  # fmt: skip
TO_SIGN_IN = frozenset({
    "identity.login", "identity.create_session", "identity.logout", "factors.second_factor",
    "factors.prove_second_factor", "factors.second_factor_challenge", "factors.sign_in_with_passkey",
    "factors.passkey_challenge", "factors.confirm", "factors.prove", "factors.confirm_challenge",
    "dev.mailbox", "dev.message",
})  # fmt: skip

PAUSED = Words(
    "Money is paused",
    "We are looking after the books, and until that is done no money moves. Your balances are safe, and nothing was "
    "changed now. What you have paid in meanwhile is not lost: it comes to your wallet once money moves again.",
    leads_to=("ops.status", "See how things stand"),
    is_planned=True,
)
REPLACED = Words(
    "We will be right back",
    "The books are being put back in order. Nothing was changed now. Try again in a few minutes.",
    leads_to=("ops.status", "See how things stand"),
)


def init_app(app: Flask) -> None:
    app.extensions["lockdown"] = Watch(lambda: db.engine)
    app.before_request(_guard)
    app.register_error_handler(MoneyPaused, lambda refusal: _closed(replace(PAUSED, message=str(refusal))))


def watch() -> Watch:
    """What this process knows of the lockdown."""
    return cast("Watch", current_app.extensions["lockdown"])


def _guard() -> ResponseReturnValue | None:
    if request.endpoint in ALWAYS_OPEN:
        return None
    try:
        found = watch().now()
    except psycopg.OperationalError as unreachable:
        raise OperationalError(None, None, unreachable) from unreachable
    if found is None or (not found.is_total and _is_open()):
        return None
    return _closed(REPLACED if found.is_total else PAUSED)


def _is_open() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return request.endpoint in TO_SIGN_IN or access_of(view) is Access.STAFF


def _closed(words: Words) -> Response:
    return errors.come_back_later(words, seconds=RETRY_SECONDS)
