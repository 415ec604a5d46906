"""The page that pauses all money and lets it move again."""

from __future__ import annotations

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.forms import ReasonForm
from advancia.core.db import db
from advancia.core.permissions import Permission
from advancia.identity import queries as people
from advancia.ledger.freezing import StillPosting
from advancia.ops import lockdown
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other

bp = Blueprint("lockdown", __name__, url_prefix="/lockdown")


@bp.get("/")
@staff_required(Permission.LOCKDOWN)
@confirmed
def index() -> ResponseReturnValue:
    return _page(ReasonForm())


@bp.post("/on")
@staff_required(Permission.LOCKDOWN)
@confirmed
@checked_by_its_form
def begin() -> ResponseReturnValue:
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(form, status=422)
    try:
        lockdown.begin(reason=entered(form.reason), actor=current_actor())
    except StillPosting as trouble:
        form.refuse(form.reason, str(trouble))
        return _page(form, status=422)
    flash("Money is paused.", "success")
    return see_other(url_for(".index"))


@bp.post("/off")
@staff_required(Permission.LOCKDOWN)
@confirmed
@checked_by_its_form
def lift() -> ResponseReturnValue:
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(form, status=422)
    try:
        lockdown.lift(reason=entered(form.reason), actor=current_actor())
    except StillPosting as trouble:
        form.refuse(form.reason, str(trouble))
        return _page(form, status=422)
    flash("Money moves again.", "success")
    return see_other(url_for(".index"))


def _page(form: ReasonForm, status: int = 200) -> ResponseReturnValue:
    session = db.session()
    state = lockdown.state(session)
    setter = state.lockdown.set_by if state.lockdown else None
    who = people.people(session, [setter]).get(setter) if setter is not None else None
    return render("admin/lockdown/index.html", status=status, form=form, state=state, who=who)
