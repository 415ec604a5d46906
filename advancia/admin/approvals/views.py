"""Pages where a second person decides on what a first one has asked for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.approvals import matters, queries, services
from advancia.admin.approvals.errors import AlreadyDecided
from advancia.admin.approvals.forms import ApprovalFilters
from advancia.admin.approvals.matters import Matter
from advancia.admin.approvals.services import Decision
from advancia.admin.carrying_out import carry_out
from advancia.admin.forms import ReasonForm
from advancia.admin.lists import PAGE_SIZE, before_here, listed
from advancia.core.db import Session, db
from advancia.core.permissions import Permission
from advancia.web.access import confirmed, current_actor, deny, may, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render

bp = Blueprint("approvals", __name__, url_prefix="/approvals")


@bp.get("/")
@staff_required(Permission.APPROVE)
def index() -> ResponseReturnValue:
    form = ApprovalFilters(formdata=request.args)
    form.validate()
    rows = queries.approvals(
        db.session(), state=form.good("state"), before=before_here(), limit=PAGE_SIZE + 1
    )
    older = rows[PAGE_SIZE - 1].cursor if len(rows) > PAGE_SIZE else None
    page = listed(rows[:PAGE_SIZE], older=older, form=form)
    return render("admin/approvals/index.html", form=form, page=page, title_of=matters.title_of)


@bp.get("/<uuid:approval_id>")
@staff_required(Permission.APPROVE)
def show(approval_id: UUID) -> ResponseReturnValue:
    return _page(ReasonForm(), approval_id)


@bp.post("/<uuid:approval_id>/grant")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def grant(approval_id: UUID) -> ResponseReturnValue:
    return _decided(approval_id, Decision.GRANTED)


@bp.post("/<uuid:approval_id>/refusal")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def refuse(approval_id: UUID) -> ResponseReturnValue:
    return _decided(approval_id, Decision.REFUSED)


@bp.post("/<uuid:approval_id>/withdrawal")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def withdraw(approval_id: UUID) -> ResponseReturnValue:
    return _decided(approval_id, Decision.WITHDRAWN)


def _decided(approval_id: UUID, decision: Decision) -> ResponseReturnValue:
    matter, form, actor = _decidable(approval_id), ReasonForm(), current_actor()

    def decide(session: Session) -> None:
        terms: dict[str, Any] = {"actor": actor, "approval_id": approval_id, "words": entered(form.reason)}
        if decision is Decision.GRANTED:
            matter.grant(session, **terms)
        else:
            services.decide(session, decision=decision, **terms)

    return carry_out(
        form,
        decide,
        page=lambda: _page(form, approval_id, status=422),
        then=url_for(".show", approval_id=approval_id),
        said=f"{decision.capitalize()}.",
        late=(AlreadyDecided,),
    )


def _decidable(approval_id: UUID) -> Matter:
    """What is to be decided on; who may not is refused."""
    matter = matters.matter_of(queries.approval(db.session(), approval_id))
    if not may(matter.permission):
        deny(matter.permission)
    return matter


def _page(form: ReasonForm, approval_id: UUID, status: int = 200) -> ResponseReturnValue:
    session = db.session()
    approval = queries.approval(session, approval_id)
    matter = matters.matter_of(approval)
    return render(
        "admin/approvals/show.html",
        status=status,
        form=form,
        approval=approval,
        matter=matter,
        preview=matter.preview(session, approval),
    )
