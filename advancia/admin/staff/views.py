"""Pages where owners say who is staff, and what each of them may do."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.forms import ReasonForm
from advancia.admin.staff import queries
from advancia.admin.staff.forms import NewMemberForm, RoleForm
from advancia.core.db import Session, db, in_unit_of_work, unit_of_work
from advancia.core.errors import DomainError
from advancia.core.permissions import Permission
from advancia.identity.recovery import factor_reset, password_reset
from advancia.identity.services import passwords, staff
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other
from advancia.web.public import TERMS_VERSION

bp = Blueprint("staff", __name__, url_prefix="/staff")


@bp.get("/")
@staff_required(Permission.ROLES)
def index() -> ResponseReturnValue:
    return render("admin/staff/index.html", members=queries.members(db.session()))


@bp.get("/new")
@staff_required(Permission.ROLES)
@confirmed
def new() -> ResponseReturnValue:
    return render("admin/staff/new.html", form=NewMemberForm())


@bp.post("/new")
@staff_required(Permission.ROLES)
@confirmed
@checked_by_its_form
def create() -> ResponseReturnValue:
    form = NewMemberForm()
    if not form.validate_on_submit():
        return render("admin/staff/new.html", status=422, form=form)
    nobodys_password = passwords.hashed(
        secrets.token_urlsafe(32)
    )  # until they have set their own by the link
    try:
        with unit_of_work() as session:
            user_id = _create(session, form, nobodys_password)
    except DomainError as refusal:
        form.refuse(form.email, str(refusal))
        return render("admin/staff/new.html", status=422, form=form)
    flash("Created. They get a mail with a link to set their password; it works for an hour.", "success")
    return see_other(url_for(".show", member_id=user_id))


@bp.get("/<int:member_id>")
@staff_required(Permission.ROLES)
@confirmed
def show(member_id: int) -> ResponseReturnValue:
    member = queries.member(db.session(), member_id)
    return _page(RoleForm(data={"role": member.role}), member_id)


@bp.post("/<int:member_id>")
@staff_required(Permission.ROLES)
@confirmed
@checked_by_its_form
def change_role(member_id: int) -> ResponseReturnValue:
    form, actor = RoleForm(), current_actor()
    return _carry_out(
        form,
        member_id,
        lambda session: staff.change_role(
            session, actor=actor, user_id=member_id, role=form.role.data, reason=entered(form.reason)
        ),
        "Changed. Their sessions have ended.",
    )


@bp.post("/<int:member_id>/suspension")
@staff_required(Permission.ROLES)
@confirmed
@checked_by_its_form
def suspend(member_id: int) -> ResponseReturnValue:
    form, actor = ReasonForm(), current_actor()
    return _carry_out(
        form,
        member_id,
        lambda session: staff.suspend(session, actor=actor, user_id=member_id, reason=entered(form.reason)),
        "Suspended. Their sessions have ended.",
    )


@bp.post("/<int:member_id>/reinstatement")
@staff_required(Permission.ROLES)
@confirmed
@checked_by_its_form
def reinstate(member_id: int) -> ResponseReturnValue:
    form, actor = ReasonForm(), current_actor()
    return _carry_out(
        form,
        member_id,
        lambda session: staff.reinstate(session, actor=actor, user_id=member_id, reason=entered(form.reason)),
        "Reinstated.",
    )


@bp.post("/<int:member_id>/factor-reset")
@staff_required(Permission.ROLES)
@confirmed
@checked_by_its_form
def begin_factor_reset(member_id: int) -> ResponseReturnValue:
    form, actor = ReasonForm(), current_actor()
    queries.member(db.session(), member_id)
    return _carry_out(
        form,
        member_id,
        lambda session: factor_reset.begin(
            session, actor=actor, user_id=member_id, reason=entered(form.reason)
        ),
        "Begun. A day later they can finish it by the link in their mail.",
    )


def _create(session: Session, form: NewMemberForm, password_hash: str) -> int:
    user_id = staff.create(
        session,
        actor=current_actor(),
        email=entered(form.email),
        name=entered(form.name),
        role=form.role.data,
        password_hash=password_hash,
        terms_version=TERMS_VERSION,
        reason=entered(form.reason),
    )
    password_reset.open_for(session, email=entered(form.email), address=None)
    return user_id


def _carry_out(
    form: ReasonForm, member_id: int, deed: Callable[[Session], object], done: str
) -> ResponseReturnValue:
    if not form.validate_on_submit():
        return _page(form, member_id, status=422)
    try:
        in_unit_of_work(deed)
    except DomainError as refusal:
        form.refuse(form.reason, str(refusal))
        return _page(form, member_id, status=422)
    flash(done, "success")
    return see_other(url_for(".show", member_id=member_id))


def _page(form: ReasonForm, member_id: int, status: int = 200) -> ResponseReturnValue:
    """The page with its one form; when another button of it was pressed, the role stands as it is."""
    member = queries.member(db.session(), member_id)
    if not isinstance(form, RoleForm):
        shown = RoleForm(formdata=None, data={"role": member.role, "reason": form.reason.data})
        shown.reason.errors = form.reason.errors
        form = shown
    return render("admin/staff/show.html", status=status, form=form, member=member)
