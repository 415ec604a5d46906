"""Pages of differences: all of them, one with both its sides, and what is decided about it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.admin.carrying_out import carry_out
from advancia.admin.forms import ReasonForm, StaffForm
from advancia.admin.lists import PAGE_SIZE, before_here, listed
from advancia.admin.reconciliation.forms import (
    AccountsForm,
    AssignmentForm,
    CorrectionForm,
    DifferenceFilters,
)
from advancia.admin.reconciliation.links import links_of
from advancia.core.db import Session, db
from advancia.core.permissions import Permission
from advancia.reconciliation import corrections, deciding, onward, queries
from advancia.reconciliation.corrections import Correction
from advancia.reconciliation.errors import SameResolution
from advancia.reconciliation.found import Side
from advancia.reconciliation.inside import WORDS
from advancia.reconciliation.shown import DifferenceRow, Wanted, money_of
from advancia.web.access import confirmed, current_actor, may, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render

bp = Blueprint("differences", __name__, url_prefix="/differences")

SHOWN_RUNS = 10
SHOWN_LINES = 10


def wanted(form: DifferenceFilters, *, run_id: int | None = None) -> Wanted:
    """What the filters ask for, of one run or of all."""
    return Wanted(
        run_id=run_id,
        side=form.good("side"),
        state=form.good("state"),
        kind=form.good("kind"),
        check=form.good("check"),
        provider=form.good("provider"),
    )


@bp.get("/")
@staff_required(Permission.RECONCILE)
def index() -> ResponseReturnValue:
    form = DifferenceFilters(formdata=request.args)
    form.validate()
    rows = queries.differences(db.session(), wanted(form), before=before_here(), limit=PAGE_SIZE + 1)
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    page = listed(rows[:PAGE_SIZE], older=older, form=form)
    return render("admin/reconciliation/differences.html", filters_form=form, page=page)


@bp.get("/<int:difference_id>")
@staff_required(Permission.RECONCILE)
def show(difference_id: int) -> ResponseReturnValue:
    return _page(queries.difference(db.session(), difference_id), ReasonForm())


@bp.post("/<int:difference_id>/assignment")
@staff_required(Permission.RECONCILE)
@checked_by_its_form
def assign(difference_id: int) -> ResponseReturnValue:
    form = AssignmentForm(queries.colleagues(db.session()))
    queries.difference(db.session(), difference_id)  # there is none: 404
    actor = current_actor()
    return _carried_out(
        form,
        lambda session: deciding.assign(
            session, actor=actor, difference_id=difference_id, user_id=form.chosen
        ),
        page=lambda: _page(_now(difference_id), ReasonForm(), assignment=form, status=422),
        difference_id=difference_id,
        said="Noted who looks after it.",
    )


@bp.post("/<int:difference_id>/explanation")
@staff_required(Permission.RECONCILE)
@confirmed
@checked_by_its_form
def explain(difference_id: int) -> ResponseReturnValue:
    form, actor = ReasonForm(), current_actor()
    queries.difference(db.session(), difference_id)  # there is none: 404
    return _carried_out(
        form,
        lambda session: deciding.explain(
            session, actor=actor, difference_id=difference_id, reason=entered(form.reason)
        ),
        page=lambda: _page(_now(difference_id), form, status=422),
        difference_id=difference_id,
        said="Resolved.",
    )


@bp.get("/<int:difference_id>/posting")
@staff_required(Permission.RECONCILE)
@confirmed
def preview(difference_id: int) -> ResponseReturnValue:
    row = queries.difference(db.session(), difference_id)
    purposes = corrections.purposes(db.session())
    proposed = corrections.proposed(row)
    usual = {"source": proposed.source, "destination": proposed.destination} if proposed else {}
    accounts = AccountsForm(purposes, formdata=request.args or None, data=usual or None)
    accounts.validate()
    chosen = {name: accounts[name].data for name in ("source", "destination") if not accounts[name].errors}
    return _preview_page(row, accounts, CorrectionForm(purposes, **chosen))


@bp.post("/<int:difference_id>/posting")
@staff_required(Permission.RECONCILE)
@confirmed
@checked_by_its_form
def post(difference_id: int) -> ResponseReturnValue:
    row = queries.difference(db.session(), difference_id)
    form = CorrectionForm(corrections.purposes(db.session()))
    actor = current_actor()

    def put_right(session: Session) -> object:
        return deciding.post(
            session,
            actor=actor,
            difference_id=difference_id,
            correction=_asked_for(row, form),
            reason=entered(form.reason),
        )

    return _carried_out(
        form,
        put_right,
        page=lambda: _corrected(_now(difference_id), form, status=422),
        difference_id=difference_id,
        said="Posted, and resolved.",
    )


def _carried_out(
    form: StaffForm,
    deed: Callable[[Session], object],
    *,
    page: Callable[[], ResponseReturnValue],
    difference_id: int,
    said: str,
) -> ResponseReturnValue:
    here = url_for(".show", difference_id=difference_id)
    return carry_out(form, deed, page=page, then=here, said=said, late=(SameResolution,))


def _now(difference_id: int) -> DifferenceRow:
    """As it stands after a refusal: somebody may have been quicker."""
    return queries.difference(db.session(), difference_id)


def _asked_for(row: DifferenceRow, form: CorrectionForm) -> Correction:
    return corrections.chosen(row, source=form.source.data, destination=form.destination.data)


def _corrected(row: DifferenceRow, form: CorrectionForm, *, status: int) -> ResponseReturnValue:
    """The preview again, with what was chosen and typed."""
    chosen = {"source": form.source.data, "destination": form.destination.data}
    accounts = AccountsForm(corrections.purposes(db.session()), formdata=None, data=chosen)
    return _preview_page(row, accounts, form, status=status)


def _preview_page(
    row: DifferenceRow, accounts: AccountsForm, form: CorrectionForm, status: int = 200
) -> ResponseReturnValue:
    return render(
        "admin/reconciliation/posting.html",
        status=status,
        row=row,
        accounts=accounts,
        form=form,
        correction=_chosen(row, accounts),
        can_be_posted=corrections.amount_of(row) is not None,
    )


def _chosen(row: DifferenceRow, accounts: AccountsForm) -> Correction | None:
    source, destination = accounts.source.data, accounts.destination.data
    known = {value for value, *_ in accounts.source.iter_choices()}
    if corrections.amount_of(row) is None or not {source, destination} <= known or source == destination:
        return None
    return corrections.chosen(row, source=source, destination=destination)


def _page(
    row: DifferenceRow, form: ReasonForm, *, assignment: AssignmentForm | None = None, status: int = 200
) -> ResponseReturnValue:
    session = db.session()
    if assignment is None:
        assignment = AssignmentForm(queries.colleagues(session), user_id=row.assigned_to)
    with_lines = may(Permission.SEE_AUDIT)
    return render(
        "admin/reconciliation/difference.html",
        status=status,
        row=row,
        form=form,
        assignment=assignment,
        items=queries.items_of(session, row),
        links=links_of(session, row),
        runs=queries.runs_that_saw(session, row.id, limit=SHOWN_RUNS),
        check_words=WORDS.get(row.check) if row.side == Side.INSIDE else None,
        money_of=money_of,
        correction=corrections.proposed(row),
        can_be_posted=corrections.amount_of(row) is not None,
        lying=onward.of_difference(session, row.id) if row.posting else None,
        lines=audit.records_of(session, kind="difference", id=row.id, limit=SHOWN_LINES)
        if with_lines
        else [],
    )
