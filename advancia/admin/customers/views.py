"""Pages where staff find a customer and see how they are doing."""

from __future__ import annotations

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.admin import parties
from advancia.admin.carrying_out import carry_out
from advancia.admin.customers import acts, queries
from advancia.admin.customers.acts import Act
from advancia.admin.customers.forms import CustomerFilters
from advancia.admin.forms import ReasonForm
from advancia.admin.lists import PAGE_SIZE, before_here, listed
from advancia.core.db import db
from advancia.core.permissions import Permission
from advancia.identity.factors.queries import factors_of
from advancia.identity.recovery import factor_reset as resets
from advancia.ledger import staff_queries
from advancia.web.access import confirmed, current_actor, may, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render

bp = Blueprint("customers", __name__, url_prefix="/customers")

SHOWN_TRANSACTIONS = 10
SHOWN_LINES = 10


@bp.get("/")
@staff_required(Permission.SEE_CUSTOMERS)
def index() -> ResponseReturnValue:
    form = CustomerFilters(formdata=request.args)
    form.validate()
    rows = queries.customers(
        db.session(), text=form.good("q"), state=form.good("state"), before=before_here(), limit=PAGE_SIZE + 1
    )
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    return render(
        "admin/customers/index.html", form=form, page=listed(rows[:PAGE_SIZE], older=older, form=form)
    )


@bp.get("/<int:user_id>")
@staff_required(Permission.SEE_CUSTOMERS)
def show(user_id: int) -> ResponseReturnValue:
    session = db.session()
    customer = queries.customer(session, user_id)
    with_origin = may(Permission.SEE_AUDIT)
    wanted = staff_queries.Wanted(holder=user_id)
    moved = staff_queries.transactions(session, wanted, before=None, limit=SHOWN_TRANSACTIONS)
    return render(
        "admin/customers/show.html",
        customer=customer,
        balances=queries.balances(session, user_id),
        transactions=moved.rows,
        people=parties.named(session, moved.rows),
        sessions=queries.sessions(session, user_id, with_origin=with_origin),
        factors=factors_of(session, user_id),
        reset=resets.waiting_of(session, user_id=user_id),
        sign_ins=queries.sign_ins(session, customer.email),
        acts=[act for act in acts.ACTS if may(act.permission) and act.fits(customer)],
        lines=audit.records_of(session, kind="user", id=user_id, limit=SHOWN_LINES) if with_origin else [],
    )


@bp.get("/<int:user_id>/suspension")
@staff_required(Permission.SUSPEND)
@confirmed
def suspension(user_id: int) -> ResponseReturnValue:
    return _act_page(ReasonForm(), user_id, acts.SUSPEND)


@bp.post("/<int:user_id>/suspension")
@staff_required(Permission.SUSPEND)
@confirmed
@checked_by_its_form
def suspend(user_id: int) -> ResponseReturnValue:
    return _carry_out(user_id, acts.SUSPEND)


@bp.get("/<int:user_id>/reinstatement")
@staff_required(Permission.SUSPEND)
@confirmed
def reinstatement(user_id: int) -> ResponseReturnValue:
    return _act_page(ReasonForm(), user_id, acts.REINSTATE)


@bp.post("/<int:user_id>/reinstatement")
@staff_required(Permission.SUSPEND)
@confirmed
@checked_by_its_form
def reinstate(user_id: int) -> ResponseReturnValue:
    return _carry_out(user_id, acts.REINSTATE)


@bp.get("/<int:user_id>/sign-out")
@staff_required(Permission.END_SESSIONS)
@confirmed
def sign_out(user_id: int) -> ResponseReturnValue:
    return _act_page(ReasonForm(), user_id, acts.END_SESSIONS)


@bp.post("/<int:user_id>/sign-out")
@staff_required(Permission.END_SESSIONS)
@confirmed
@checked_by_its_form
def end_sessions(user_id: int) -> ResponseReturnValue:
    return _carry_out(user_id, acts.END_SESSIONS)


@bp.get("/<int:user_id>/factor-reset")
@staff_required(Permission.RESET_FACTOR)
@confirmed
def factor_reset(user_id: int) -> ResponseReturnValue:
    return _act_page(ReasonForm(), user_id, acts.RESET_FACTOR)


@bp.post("/<int:user_id>/factor-reset")
@staff_required(Permission.RESET_FACTOR)
@confirmed
@checked_by_its_form
def begin_factor_reset(user_id: int) -> ResponseReturnValue:
    return _carry_out(user_id, acts.RESET_FACTOR)


def _carry_out(user_id: int, act: Act) -> ResponseReturnValue:
    """Do it if a reason is given, and show the customer's page with the sentence that says what was done."""
    form, actor = ReasonForm(), current_actor()
    queries.customer(db.session(), user_id)
    return carry_out(
        form,
        lambda session: act.deed(session, actor, user_id, entered(form.reason)),
        page=lambda: _act_page(form, user_id, act, status=422),
        then=url_for(".show", user_id=user_id),
    )


def _act_page(form: ReasonForm, user_id: int, act: Act, status: int = 200) -> ResponseReturnValue:
    customer = queries.customer(db.session(), user_id)
    return render("admin/customers/act.html", status=status, form=form, customer=customer, act=act)
