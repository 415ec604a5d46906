"""Pages of the clock: the table of recurring work, and one line of it with its runs, and one for the asking."""

from __future__ import annotations

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.admin.clock import queries
from advancia.admin.clock.forms import RunForm
from advancia.core import heartbeats, runs
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.permissions import Permission
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other

bp = Blueprint("clock", __name__, url_prefix="/clock")

SHOWN_RUNS = 50


@bp.get("/")
@staff_required(Permission.RECONCILE)
def index() -> ResponseReturnValue:
    session = db.session()
    age = heartbeats.ages(session).get("clock")
    is_alive = age is not None and age <= heartbeats.SILENT_AFTER
    return render("admin/clock/index.html", rows=queries.lines(session, utcnow()), clock_is_alive=is_alive)


@bp.get("/<job>")
@staff_required(Permission.RECONCILE)
def show(job: str) -> ResponseReturnValue:
    return _page(RunForm(), job)


@bp.post("/<job>/run")
@staff_required(Permission.SETTINGS)
@confirmed
@checked_by_its_form
def run(job: str) -> ResponseReturnValue:
    line, form = queries.line_of(job), RunForm()
    if not form.validate_on_submit():
        return _page(form, job, status=422)
    try:
        with unit_of_work() as session:
            if runs.ask_for(session, line.job, request_id=form.request_id.uuid):
                reason = entered(form.reason)
                audit.record(
                    session,
                    current_actor(),
                    action="clock.run_requested",
                    kind="clock",
                    id=job,
                    reason=reason,
                )
    except runs.StillRunning as refusal:
        form.refuse(form.reason, str(refusal))
        return _page(form, job, status=422)
    flash("Put to work. What comes of it will stand here.", "success")
    return see_other(url_for(".show", job=job))


def _page(form: RunForm, job: str, status: int = 200) -> ResponseReturnValue:
    session = db.session()
    row = queries.line(session, job, utcnow())
    recent = runs.recent(session, row.line.job, limit=SHOWN_RUNS)
    return render("admin/clock/show.html", status=status, form=form, row=row, runs=recent)
