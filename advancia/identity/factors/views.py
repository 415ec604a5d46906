"""Pages of second factors, and the one where a person proves anew who they are."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from advancia.web.access import signed_in
from advancia.web.htmx import render

bp = Blueprint("factors", __name__)


@bp.get("/settings/security")
@signed_in
def security() -> ResponseReturnValue:
    return render("factors/security.html")


@bp.get("/confirm")
@signed_in
def confirm() -> ResponseReturnValue:
    return render("factors/confirm.html")
