"""The first page of staff."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from advancia.web.access import staff_required
from advancia.web.htmx import render

bp = Blueprint("admin", __name__, url_prefix="/admin")


@bp.get("/")
@staff_required()
def home() -> ResponseReturnValue:
    return render("admin/home.html")
