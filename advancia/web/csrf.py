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


def asked_by_a_field(view: View) -> View:
    """Mark a view that a field asks while it is filled in: a token that has grown old leaves the page as it is.

    The form's own button may be on its way at that very moment, and with it a new token; to lead back to the form
    would take the person away from where that has led them.
    """
    vars(view)["asked_by_a_field"] = True
    return view


def is_asked_by_a_field() -> bool:
    """Whether this request goes to such a view."""
    return getattr(current_app.view_functions.get(request.endpoint or ""), "asked_by_a_field", False)


def _refuse_other_sites() -> None:
    """What a browser says another site has sent is no form of ours, whatever token it brings."""
    if request.method in ("GET", "HEAD") or request.headers.get("Sec-Fetch-Site") not in ELSEWHERE:
        return
    if access_of(current_app.view_functions.get(request.endpoint or "")) is not Access.MACHINE:
        raise CSRFError("Another site has sent this.")
