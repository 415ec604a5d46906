"""The blueprint of these pages; those whose address holds a secret are kept from other sites, caches and indexes."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from advancia.identity.errors import LinkIsDead
from advancia.web.htmx import render

bp = Blueprint("recovery", __name__)


@bp.after_request
def keep_links_secret(response: Response) -> Response:
    if "token" in (request.view_args or {}):
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Robots-Tag"] = "noindex"
    return response


@bp.errorhandler(LinkIsDead)
def dead_link(_error: LinkIsDead) -> ResponseReturnValue:
    return render("recovery/dead_link.html", status=404)
