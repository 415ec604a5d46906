"""What somebody typed into a form that could not be taken yet, kept until they can send it again.

A form is sent and the session has run out, or the person has to prove first who they are, or the form's token is an
old one: they are led where they have to go, and back to the form, and what they typed stands in it. Passwords and
codes do not: nobody keeps those.

It is kept in the browser that sent it, in a cookie of its own, encrypted under a key that is derived from
`SECRET_KEY` and bound to the person. Whoever else signs in there, or looks at the cookie, finds nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, Response, current_app, flash, g, request, session
from flask_login import user_logged_in
from werkzeug.datastructures import MultiDict

from advancia.core.addresses import urlsplit_safely
from advancia.core.clock import utcnow

KEPT_FOR = timedelta(minutes=30)
LONGEST_COOKIE = 3_800  # browsers keep 4096 bytes with the name and the attributes
NONCE_BYTES = 12
PERSON = (
    "person"  # in the session's cookie, and still there when the session has run out: a mark of whose it was
)
MARK_LENGTH = 16

NEVER_KEPT = re.compile(
    r"pass(word|phrase|key)|^current$|code|secret|token|otp|pin$|credential|response|next$", re.IGNORECASE
)


@dataclass(frozen=True)
class Typed:
    """A form as it was sent: to which route, with what in the route's variables, and what in its fields."""

    endpoint: str
    values: dict[str, str]
    fields: list[tuple[str, str]]
    at: float

    def is_for(self, endpoint: str, values: dict[str, Any]) -> bool:
        """Whether that route's page may hold this form: one of the same room, about the same thing."""
        room = self.endpoint.rpartition(".")[0]
        return endpoint.rpartition(".")[0] == room and _texts(values) == self.values


def init_app(app: Flask) -> None:
    user_logged_in.connect(_remember_whose, app)
    app.after_request(_set_cookie)


def keep(*, otherwise: str, kept: str) -> None:
    """Keep what this request's form holds, and say so with `kept`; or say `otherwise`, if it holds nothing to keep.

    Only a form of ours that was sent from a page of ours is kept: what another site sends must not come back as if
    the person had typed it.
    """
    if request.method != "POST" or not came_from_here():
        return
    sealed = _sealed(_of_this_request()) if PERSON in session else None
    if sealed is not None:
        g.typed = sealed
    flash(kept if sealed else otherwise, "info")


def come_back() -> MultiDict[str, str] | None:
    """What was typed into a form of the page that is being answered, if its person is back."""
    if request.method != "GET" or (typed := _kept()) is None or request.endpoint is None:
        return None
    return MultiDict(typed.fields) if typed.is_for(request.endpoint, request.view_args or {}) else None


def came_from_here() -> bool:
    """Whether a page of ours sent this request, by what browsers say of it and pages cannot change."""
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site == "same-origin"
    sender = request.headers.get("Origin") or request.referrer or ""
    return urlsplit_safely(sender).netloc == request.host


def _of_this_request() -> Typed:
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if value and not NEVER_KEPT.search(name)
    ]
    return Typed(request.endpoint or "", _texts(request.view_args or {}), fields, utcnow().timestamp())


def _texts(values: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _sealed(typed: Typed) -> str | None:
    """The value of the cookie; `None` if there is nothing to keep, or more than a cookie can hold."""
    if not typed.fields:
        return None
    plain = zlib.compress(json.dumps([typed.endpoint, typed.values, typed.fields, typed.at]).encode(), 9)
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(_key()).encrypt(nonce, plain, session[PERSON].encode())
    value = base64.urlsafe_b64encode(sealed).decode()
    return value if len(value) <= LONGEST_COOKIE else None


def _kept() -> Typed | None:
    """What this browser keeps for the person whose session's cookie it shows, unless it is too old."""
    value, mark = request.cookies.get(_name()), session.get(PERSON)
    if not value or not mark:
        return None
    try:
        sealed = base64.urlsafe_b64decode(value)
        plain = AESGCM(_key()).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], mark.encode())
    except (ValueError, InvalidTag):
        return None
    endpoint, values, fields, at = json.loads(zlib.decompress(plain))
    typed = Typed(endpoint, values, [(name, text) for name, text in fields], at)
    return typed if utcnow().timestamp() - typed.at < KEPT_FOR.total_seconds() else None


def _set_cookie(response: Response) -> Response:
    """Set the cookie of a form that was sent away, and drop one that has been sent again or is nobody's any more."""
    if (sealed := g.pop("typed", None)) is not None:
        response.set_cookie(_name(), sealed, max_age=KEPT_FOR, **_attributes())
    elif _name() in request.cookies and request.endpoint != "static" and _is_done(_kept()):
        response.delete_cookie(_name(), **_attributes())
    return response


def _is_done(typed: Typed | None) -> bool:
    return typed is None or (request.method == "POST" and request.endpoint == typed.endpoint)


def mark_of(user_id: int) -> str:
    """By what the session's cookie tells whose it is, to nobody but us."""
    return hmac.digest(_key(), f"person:{user_id}".encode(), hashlib.sha256).hex()[:MARK_LENGTH]


def _remember_whose(_app: Flask, user: Any) -> None:
    session[PERSON] = mark_of(user.id)


def _key() -> bytes:
    return hmac.digest(cast("str", current_app.secret_key).encode(), b"what was typed", hashlib.sha256)


def _name() -> str:
    return "__Host-typed" if current_app.config["SESSION_COOKIE_SECURE"] else "typed"


def _attributes() -> dict[str, Any]:
    return {
        "path": "/",
        "secure": current_app.config["SESSION_COOKIE_SECURE"],
        "httponly": True,
        "samesite": "Lax",
    }
