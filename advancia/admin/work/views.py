"""Pages of background work: the jobs' log, which is the mails' as well, and another try."""

from __future__ import annotations

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.admin.lists import PAGE_SIZE, before_here, listed
from advancia.admin.work import queries
from advancia.admin.work.forms import WorkFilters, words_for
from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.errors import NotFound
from advancia.core.permissions import Permission
from advancia.web.access import current_actor, staff_required
from advancia.web.htmx import render, see_other

bp = Blueprint("work", __name__, url_prefix="/work")

LARGEST_ID = 2**63 - 1


@bp.get("/")
@staff_required(Permission.RECONCILE)
def index() -> ResponseReturnValue:
    form = WorkFilters(formdata=request.args)
    form.validate()
    rows = queries.work(
        db.session(),
        kind=form.good("kind"),
        state=form.good("state"),
        before=before_here(),
        limit=PAGE_SIZE + 1,
    )
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    page = listed(rows[:PAGE_SIZE], older=older, form=form)
    return render("admin/work/index.html", form=form, page=page, words_for=words_for)


@bp.post("/<int:work_id>/again")
@staff_required(Permission.REPLAY_WEBHOOKS)
def again(work_id: int) -> ResponseReturnValue:
    with unit_of_work() as session:
        if work_id > LARGEST_ID or not outbox.send_again(session, work_id):
            raise NotFound("There is no parked work of that number.")
        audit.record(session, current_actor(), action="work.sent_again", kind="work", id=work_id)
    flash("Put back to work.", "success")
    return see_other(url_for(".index", state="parked"))
