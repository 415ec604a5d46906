"""The page where a person looks after their name, and finds the ways to their address and password."""

from __future__ import annotations

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import db, unit_of_work
from advancia.identity.recovery import email_change, profile
from advancia.identity.recovery.blueprint import bp
from advancia.identity.recovery.forms import ProfileForm
from advancia.web.access import current_actor, signed_in
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other


@bp.get("/settings/profile", endpoint="profile")
@signed_in
def show() -> ResponseReturnValue:
    return _page(ProfileForm(data={"name": current_user.name}))


@bp.post("/settings/profile", endpoint="update_profile")
@signed_in
@checked_by_its_form
def update() -> ResponseReturnValue:
    form = ProfileForm()
    if not form.validate_on_submit():
        return _page(form, status=422)
    with unit_of_work() as session:
        profile.rename(session, actor=current_actor(), name=entered(form.name))
    flash("Your name is saved.", "success")
    return see_other(url_for(".profile"))


def _page(form: ProfileForm, status: int = 200) -> ResponseReturnValue:
    waiting = email_change.waiting_of(db.session(), user_id=current_user.id)
    return render("recovery/profile.html", status=status, form=form, waiting=waiting)
