"""Pages that anybody may read."""

from __future__ import annotations

from datetime import date

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.web.access import home_url, public
from advancia.web.htmx import render, see_other

bp = Blueprint("public", __name__)

TERMS_VERSION = "2026-11-01"
TERMS_EFFECTIVE = date(2026, 11, 1)


@bp.get("/")
@public
def home() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return see_other(home_url())
    return render("public/home.html")


@bp.get("/terms")
@public
def terms() -> ResponseReturnValue:
    return render("public/terms.html", version=TERMS_VERSION, effective=TERMS_EFFECTIVE)


@bp.get("/help")
@public
def help() -> ResponseReturnValue:  # noqa: A001 - the page is called so
    return render("public/help.html")
