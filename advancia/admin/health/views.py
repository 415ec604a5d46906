"""The page of the product's health, which brings itself up to date."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from advancia.admin.health import queries
from advancia.admin.work.forms import words_for
from advancia.core.db import db
from advancia.core.permissions import Permission
from advancia.ops import health
from advancia.web.access import staff_required
from advancia.web.htmx import render, tagged, unchanged

bp = Blueprint("health", __name__, url_prefix="/health")


@bp.get("/")
@staff_required(Permission.RECONCILE)
def index() -> ResponseReturnValue:
    board = queries.board(db.session(), health.health())
    if (same := unchanged(board.version)) is not None:
        return same
    page = render(
        "admin/health/index.html",
        board=board,
        counted=queries.COUNTED,
        version=board.version,
        words_for=words_for,
    )
    return tagged(page, board.version)
