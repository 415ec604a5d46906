"""Pages where staff look through the books."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.admin import parties
from advancia.admin.lists import PAGE_SIZE, before_here, end_of, listed, start_of
from advancia.admin.transactions import queries
from advancia.admin.transactions.forms import TransactionFilters
from advancia.core.db import Session, db
from advancia.core.permissions import Permission
from advancia.ledger import staff_queries
from advancia.ledger.staff_queries import Found, Wanted
from advancia.web.access import may, staff_required
from advancia.web.htmx import render

bp = Blueprint("transactions", __name__, url_prefix="/transactions")

SHOWN_LINES = 10


@bp.get("/")
@staff_required(Permission.SEE_TRANSACTIONS)
def index() -> ResponseReturnValue:
    form = TransactionFilters(formdata=request.args)
    form.validate()
    session = db.session()
    found = _found(session, form)
    return render(
        "admin/transactions/index.html",
        form=form,
        page=listed(found.rows, older=found.older, form=form),
        window=staff_queries.WINDOW if found.window_ended else None,
        people=parties.named(session, found.rows),
    )


@bp.get("/<int:txn_id>")
@staff_required(Permission.SEE_TRANSACTIONS)
def show(txn_id: int) -> ResponseReturnValue:
    session = db.session()
    shown = queries.shown(session, txn_id)
    with_lines = may(Permission.SEE_AUDIT)
    return render(
        "admin/transactions/show.html",
        shown=shown,
        transaction=shown.transaction,
        people=parties.of_accounts(session, (entry.account for entry in shown.transaction.entries)),
        lines=audit.records_of(session, kind="transaction", id=txn_id, limit=SHOWN_LINES)
        if with_lines
        else [],
    )


def _found(session: Session, form: TransactionFilters) -> Found:
    """What the filters ask for; a reference names its transaction whatever else is asked."""
    if reference := form.good("reference"):
        rows = staff_queries.rows_of(session, queries.ids_meant_by(session, reference))
        return Found(rows, older=None, window_ended=False)
    customer = form.good("customer")
    wanted = Wanted(
        kind=form.good("kind"),
        asset=form.good("asset"),
        holder=int(customer) if customer else None,
        since=start_of(form.good("since")),
        until=end_of(form.good("until")),
    )
    return staff_queries.transactions(session, wanted, before=before_here(), limit=PAGE_SIZE)
