"""Whether we work, for machines and for people."""

from __future__ import annotations

from typing import NamedTuple, cast

from flask import Blueprint, Flask, jsonify
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from advancia.ops import health as checks
from advancia.ops.health import Checkup, Health
from advancia.ops.parts import PAUSED, WORKING, Part, State
from advancia.web.access import machine, public
from advancia.web.htmx import render
from advancia.web.limits import limiter

bp = Blueprint("ops", __name__)

BEHIND_THE_PAGES = ("worker", "relay", "clock", "outbox")


@bp.record
def _install(state: BlueprintSetupState) -> None:
    state.app.extensions["health"] = Checkup(cast("Flask", state.app))


@bp.get("/health")
@machine
@limiter.exempt
def health() -> ResponseReturnValue:
    return jsonify(status="ok")


@bp.get("/api/health")
@machine
@limiter.exempt
def api_health() -> ResponseReturnValue:
    found = checks.health()
    body = {
        "status": found.state,
        "down": found.keys(State.DOWN),
        "degraded": found.keys(State.DEGRADED),
        "parts": {part.key: {"ok": part.ok, "words": part.words, **part.facts} for part in found.parts},
    }
    return jsonify(body), 503 if found.state is State.DOWN else 200


@bp.get("/status")
@public
def status() -> ResponseReturnValue:
    return render("public/status.html", parts=_for_people(checks.health()))


class Line(NamedTuple):
    """A part as the page of status names it; `tag` is how it stands in a word or two."""

    name: str
    ok: bool
    words: str
    tag: str


def _for_people(found: Health) -> list[Line]:
    """What matters to a customer: the rest is for those who mend it."""
    by_key = {part.key: part for part in found.parts}
    work = next((by_key[key] for key in BEHIND_THE_PAGES if not by_key[key].ok), None)
    shown = [by_key["database"], by_key["cache"], Part("work", "Background work")]
    if work is not None:
        shown[-1] = Part("work", "Background work", work.state, work.words)
    if not by_key["money"].ok:
        shown.insert(0, by_key["money"])
    return [_line(part) for part in shown]


def _line(part: Part) -> Line:
    is_paused = part.key == "money" and part.words.startswith(PAUSED)
    tag = WORKING if part.ok else PAUSED if is_paused else "Not working"
    return Line(part.name, part.ok, "" if part.words == WORKING else part.words, tag)
