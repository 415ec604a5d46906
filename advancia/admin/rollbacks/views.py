"""Pages where staff roll a transaction back: what that would do, why, and then it is done or waits for another."""

from __future__ import annotations

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.rollbacks import queries, services
from advancia.admin.rollbacks.errors import NeedsApproval
from advancia.admin.rollbacks.forms import RollbackForm
from advancia.core.db import db, in_unit_of_work, unit_of_work
from advancia.core.errors import DomainError
from advancia.core.permissions import Permission
from advancia.ledger import InsufficientFunds
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other

bp = Blueprint("rollbacks", __name__, url_prefix="/transactions/<int:txn_id>/rollback")


@bp.get("")
@staff_required(Permission.ROLL_BACK)
@confirmed
def preview(txn_id: int) -> ResponseReturnValue:
    return _page(RollbackForm(), txn_id)


@bp.post("")
@staff_required(Permission.ROLL_BACK)
@confirmed
@checked_by_its_form
def create(txn_id: int) -> ResponseReturnValue:
    form = RollbackForm()
    if not form.validate_on_submit():
        return _page(form, txn_id, status=422)
    try:
        return _rolled_back(form, txn_id)
    except NeedsApproval:
        return _asked(form, txn_id)
    except InsufficientFunds:
        form.refuse(
            form.allow_debt, "A part of the money was spent meanwhile. Book it as a debt, or leave it."
        )
    except DomainError as refusal:
        form.refuse(form.reason, str(refusal))
    return _page(form, txn_id, status=422)


def _rolled_back(form: RollbackForm, txn_id: int) -> ResponseReturnValue:
    actor = current_actor()
    rollback_id = in_unit_of_work(
        lambda session: services.roll_back(
            session,
            actor=actor,
            txn_id=txn_id,
            reason=entered(form.reason),
            allow_debt=form.allow_debt.data,
            request_id=form.request_id.uuid,
        )
    )
    flash("Rolled back. The customers get a mail.", "success")
    return see_other(url_for("admin.transactions.show", txn_id=rollback_id))


def _asked(form: RollbackForm, txn_id: int) -> ResponseReturnValue:
    try:
        with unit_of_work() as session:
            approval_id = services.ask(
                session,
                actor=current_actor(),
                txn_id=txn_id,
                reason=entered(form.reason),
                allow_debt=form.allow_debt.data,
            )
    except DomainError as refusal:
        form.refuse(form.reason, str(refusal))
        return _page(form, txn_id, status=422)
    flash("Asked. It is done once a second person approves it.", "success")
    return see_other(url_for("admin.approvals.show", approval_id=approval_id))


def _page(form: RollbackForm, txn_id: int, status: int = 200) -> ResponseReturnValue:
    """The preview, computed anew each time: money may have moved since the last look."""
    return render(
        "admin/rollbacks/new.html", status=status, form=form, preview=queries.preview(db.session(), txn_id)
    )
