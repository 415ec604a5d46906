"""The token which proves that a form was sent from a page of ours."""

from __future__ import annotations

from flask import Flask
from flask_wtf import CSRFProtect

from advancia.web.access import View

csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    csrf.init_app(app)


def checked_by_its_form(view: View) -> View:
    """Leave the token to the view's own form, which shows a stale one beside what was typed: nothing of it is lost.

    The view must do nothing before its form is valid; a test sends each of these a forged token.
    """
    csrf.exempt(view)
    return view
