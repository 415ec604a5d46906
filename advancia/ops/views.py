"""Whether we work, for machines and for people."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from advancia.core.db import db
from advancia.ops import health as checks
from advancia.web.access import machine, public
from advancia.web.htmx import render
from advancia.web.limits import limiter

bp = Blueprint("ops", __name__)


@bp.get("/health")
@machine
@limiter.exempt
def health() -> ResponseReturnValue:
    return jsonify(status="ok")


@bp.get("/api/health")
@machine
@limiter.exempt
def api_health() -> ResponseReturnValue:
    parts = checks.parts(db.session(), current_app.extensions["settings"])
    down = [part.name for part in parts if not part.ok and part.needed]
    degraded = [part.name for part in parts if not part.ok and not part.needed]
    status = "down" if down else "degraded" if degraded else "ok"
    body = {"status": status, "down": down, "degraded": degraded, "parts": {p.name: p.words for p in parts}}
    return jsonify(body), 503 if down else 200


@bp.get("/status")
@public
def status() -> ResponseReturnValue:
    parts = checks.parts(db.session(), current_app.extensions["settings"])
    return render("public/status.html", parts=[(part.name, part.ok, part.words) for part in parts])
