"""Pages to get back in, and to change the address, the password and the name."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from advancia.web.access import signed_in
from advancia.web.htmx import render

bp = Blueprint("recovery", __name__)


@bp.get("/settings/profile")
@signed_in
def profile() -> ResponseReturnValue:
    return render("recovery/profile.html")
