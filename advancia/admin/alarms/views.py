"""Pages of alarms: those that are open, all that ever were, and one of them, to be silenced."""

from __future__ import annotations

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.alarms import services
from advancia.admin.alarms.places import place_of
from advancia.admin.forms import ReasonForm
from advancia.admin.lists import PAGE_SIZE, Filters, before_here, listed
from advancia.core import alarms
from advancia.core.db import db, unit_of_work
from advancia.core.errors import NotFound
from advancia.core.permissions import Permission
from advancia.identity import queries as identity
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other

bp = Blueprint("alarms", __name__, url_prefix="/alarms")

LARGEST_ID = 2**63 - 1


@bp.get("/")
@staff_required(Permission.RECONCILE)
def index() -> ResponseReturnValue:
    session = db.session()
    rows = alarms.alarms(session, before=before_here(), limit=PAGE_SIZE + 1)
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    shown = rows[:PAGE_SIZE]
    return render(
        "admin/alarms/index.html",
        open_alarms=alarms.open_alarms(session),
        page=listed(shown, older=older, form=Filters()),
        people=identity.people(session, {row.silenced_by for row in shown if row.silenced_by}),
    )


@bp.get("/<int:alarm_id>")
@staff_required(Permission.RECONCILE)
def show(alarm_id: int) -> ResponseReturnValue:
    return _page(ReasonForm(), alarm_id)


@bp.post("/<int:alarm_id>/silence")
@staff_required(Permission.RECONCILE)
@confirmed
@checked_by_its_form
def silence(alarm_id: int) -> ResponseReturnValue:
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(form, alarm_id, status=422)
    try:
        with unit_of_work() as session:
            services.silence(
                session, actor=current_actor(), alarm_id=_within(alarm_id), reason=entered(form.reason)
            )
    except services.NotOpen as refusal:
        form.refuse(form.reason, str(refusal))
        return _page(form, alarm_id, status=422)
    flash("Silenced for a day. If the trouble is still there then, it sounds anew.", "success")
    return see_other(url_for(".show", alarm_id=alarm_id))


def _page(form: ReasonForm, alarm_id: int, status: int = 200) -> ResponseReturnValue:
    session = db.session()
    alarm = alarms.alarm(session, _within(alarm_id))
    if alarm is None:
        raise NotFound("There is no alarm of that number.")
    people = identity.people(session, {alarm.silenced_by} if alarm.silenced_by else ())
    return render(
        "admin/alarms/show.html", status=status, form=form, alarm=alarm, people=people, place=place_of(alarm)
    )


def _within(number: int) -> int:
    """The number, or one that nothing has where it is larger than any can be."""
    return number if number <= LARGEST_ID else -1
