"""The token which proves that a form was sent from a page of ours."""

from __future__ import annotations

from flask import Flask, current_app, request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError

from advancia.web.access import Access, View, access_of

csrf = CSRFProtect()


ELSEWHERE = ("cross-site", "same-site")


def init_app(app: Flask) -> None:
    app.before_request(_refuse_other_sites)
    csrf.init_app(app)


def checked_by_its_form(view: View) -> View:
    """Leave the token to the view's own form, which shows a stale one beside what was typed: nothing of it is lost.

    The view must do nothing before its form is valid; a test sends each of these a forged token.
    """
    csrf.exempt(view)
    return view


def _refuse_other_sites() -> None:
    """What a browser says another site has sent is no form of ours, whatever token it brings."""
    if request.method in ("GET", "HEAD") or request.headers.get("Sec-Fetch-Site") not in ELSEWHERE:
        return
    if access_of(current_app.view_functions.get(request.endpoint or "")) is not Access.MACHINE:
        raise CSRFError("Another site has sent this.")
