"""Pages of the reconciliation: its runs, one run while it goes on and afterwards, and its sign-off."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from advancia.admin import sheets
from advancia.admin.carrying_out import carry_out
from advancia.admin.lists import PAGE_SIZE, Listing, before_here, listed
from advancia.admin.reconciliation import differences, onward
from advancia.admin.reconciliation.forms import DifferenceFilters, RunFilters, SignOffForm
from advancia.core.db import db, in_unit_of_work
from advancia.core.permissions import Permission
from advancia.reconciliation import deciding, keeping, queries, runs
from advancia.reconciliation.errors import AlreadyRunning, SameSignOff
from advancia.reconciliation.shown import DifferenceRow, Shown
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other, tagged, unchanged
from advancia.web.limits import limiter

LONGEST_FILE = 50_000
HEADING = (
    "id", "state", "kind", "side", "check", "provider", "our_ref", "their_ref", "asset", "our_amount", "their_amount",
    "happened_at", "found_at", "words", "holder", "resolver", "reason", "posting",
)  # fmt: skip

bp = Blueprint("reconciliation", __name__, url_prefix="/reconciliation")
bp.register_blueprint(differences.bp)
bp.register_blueprint(onward.bp)


@bp.get("/")
@staff_required(Permission.RECONCILE)
def index() -> ResponseReturnValue:
    form = RunFilters(formdata=request.args)
    form.validate()
    session = db.session()
    rows = queries.runs(session, state=form.good("state"), before=before_here(), limit=PAGE_SIZE + 1)
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    return render(
        "admin/reconciliation/index.html",
        form=form,
        page=listed(rows[:PAGE_SIZE], older=older, form=form),
        open_now=keeping.open_now(session),
    )


@bp.post("/")
@staff_required(Permission.RECONCILE)
def create() -> ResponseReturnValue:
    """Have a worker reconcile now; a second click finds the run of the first."""
    actor = current_actor()
    try:
        run_id = in_unit_of_work(lambda session: runs.ask(session, actor=actor))
    except AlreadyRunning as refusal:
        flash(str(refusal), "info")
        return see_other(url_for(".index", state="running"))
    return see_other(url_for(".show", run_id=run_id))


@bp.get("/<int:run_id>")
@staff_required(Permission.RECONCILE)
def show(run_id: int) -> ResponseReturnValue:
    run = queries.run(db.session(), run_id)
    if (same := unchanged(run.version)) is not None:
        return same
    return tagged(_page(run, SignOffForm()), run.version)


@bp.get("/<int:run_id>/differences.csv")
@staff_required(Permission.RECONCILE)
@limiter.limit("10 per minute")
def file(run_id: int) -> ResponseReturnValue:
    run = queries.run(db.session(), run_id)
    form = DifferenceFilters(formdata=request.args)
    form.validate()
    rows = queries.differences(db.session(), differences.wanted(form, run_id=run.id), limit=LONGEST_FILE)
    return sheets.download(f"reconciliation-{run.id}.csv", HEADING, map(_cells, rows))


@bp.post("/<int:run_id>/sign-off")
@staff_required(Permission.RECONCILE)
@confirmed
@checked_by_its_form
def sign_off(run_id: int) -> ResponseReturnValue:
    form, actor = SignOffForm(), current_actor()
    return carry_out(
        form,
        lambda session: deciding.sign_off(session, actor=actor, run_id=run_id, note=entered(form.note)),
        page=lambda: _page(queries.run(db.session(), run_id), form, status=422),
        then=url_for(".show", run_id=run_id),
        said="Signed off.",
        late=(SameSignOff,),
    )


def _cells(row: DifferenceRow) -> list[object]:
    """A line of the file: amounts as a spreadsheet takes them, with all decimals of the asset."""
    cells = {name: getattr(row, name) for name in HEADING}
    for name, money in (("our_amount", row.ours), ("their_amount", row.theirs)):
        if money is not None:
            cells[name] = Decimal(money.minor).scaleb(-money.asset.decimals)
    return list(cells.values())


def _page(run: Shown, form: SignOffForm, status: int = 200) -> Response:
    session = db.session()
    filters = DifferenceFilters(formdata=request.args)
    filters.validate()
    return render(
        "admin/reconciliation/show.html",
        status=status,
        run=run,
        version=run.version,
        form=form,
        filters_form=filters,
        page=_differences(run, filters),
        open_now=queries.open_in(session, run.id),
        resolvers=queries.resolvers_in(session, run.id),
    )


def _differences(run: Shown, form: DifferenceFilters) -> Listing[DifferenceRow]:
    rows = queries.differences(
        db.session(),
        differences.wanted(form, run_id=run.id),
        before=before_here(),
        limit=PAGE_SIZE + 1,
    )
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    return listed(rows[:PAGE_SIZE], older=older, form=form, endpoint=".show")
