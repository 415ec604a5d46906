"""Pages where a person sees where they are signed in."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from advancia.web.access import signed_in
from advancia.web.htmx import render

bp = Blueprint("sessions", __name__)


@bp.get("/settings/sessions")
@signed_in
def index() -> ResponseReturnValue:
    return render("sessions/index.html")
