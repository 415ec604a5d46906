"""Pages where staff find a customer and see how they are doing."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.admin import parties
from advancia.admin.customers import queries
from advancia.admin.customers.forms import CustomerFilters
from advancia.admin.lists import PAGE_SIZE, before_here, listed
from advancia.core.db import db
from advancia.core.permissions import Permission
from advancia.ledger import staff_queries
from advancia.web.access import may, staff_required
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
        sign_ins=queries.sign_ins(session, customer.email),
        lines=audit.records_of(session, kind="user", id=user_id, limit=SHOWN_LINES) if with_origin else [],
    )
