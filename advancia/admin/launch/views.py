"""Pages of the launch check: its last runs, and one run while it goes on and afterwards."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, url_for
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.permissions import Permission
from advancia.ops.launch import queries, services
from advancia.ops.launch.registry import State
from advancia.ops.launch.services import AlreadyRunning
from advancia.web.access import current_actor, staff_required
from advancia.web.htmx import render, see_other, tagged, unchanged

bp = Blueprint("launch", __name__, url_prefix="/launch")

# The heading of those that were found to be so.
HEADINGS = {
    State.BLOCKER: "Keeps us from going live",
    State.UNKNOWN: "Could not be told",
    State.WARNING: "Warnings",
    State.OK: "Fine",
}


@bp.get("/")
@staff_required(Permission.SETTINGS)
def index() -> ResponseReturnValue:
    return render("admin/launch/index.html", runs=queries.runs(db.session()), State=State)


@bp.post("/")
@staff_required(Permission.SETTINGS)
def check() -> ResponseReturnValue:
    """Have the worker look at everything; a second click finds the first one's run."""
    actor, url = current_actor(), current_app.extensions["settings"].public_url
    try:
        with unit_of_work() as session:
            run_id = services.open_run(session, url=url, asked_by=actor.user_id)
            outbox.put(session, Job.CHECK_LAUNCH, run_id=run_id)
            audit.record(session, actor, action="launch_check.requested", kind="launch_check", id=run_id)
    except AlreadyRunning as refusal:
        flash(str(refusal), "info")
        other = queries.under_way(db.session())
        return see_other(url_for(".show", launch_id=other.id) if other else url_for(".index"))
    return see_other(url_for(".show", launch_id=run_id))


@bp.get("/<int:launch_id>")
@staff_required(Permission.SETTINGS)
def show(launch_id: int) -> ResponseReturnValue:
    run = queries.run(db.session(), launch_id)
    if (same := unchanged(run.version)) is not None:
        return same
    page = render("admin/launch/show.html", run=run, version=run.version, headings=HEADINGS, State=State)
    return tagged(page, run.version)
