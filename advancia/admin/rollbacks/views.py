"""Pages where staff roll a transaction back: what that would do, why, and then it is done or waits for another."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.carrying_out import carry_out
from advancia.admin.rollbacks import queries, services
from advancia.admin.rollbacks.forms import RollbackForm
from advancia.core.db import db
from advancia.core.permissions import Permission
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render

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
    form, actor = RollbackForm(), current_actor()

    def wish() -> dict[str, Any]:
        return {
            "actor": actor,
            "txn_id": txn_id,
            "reason": entered(form.reason),
            "allow_debt": form.allow_debt.data,
        }

    return carry_out(
        form,
        lambda session: services.roll_back(session, **wish(), request_id=form.request_id.uuid),
        ask=lambda session: services.ask(session, **wish()),
        page=lambda: _page(form, txn_id, status=422),
        then=lambda rollback_id: url_for("admin.transactions.show", txn_id=rollback_id),
        said="Rolled back. The customers get a mail.",
    )


def _page(form: RollbackForm, txn_id: int, status: int = 200) -> ResponseReturnValue:
    """The preview, computed anew each time: money may have moved since the last look."""
    return render(
        "admin/rollbacks/new.html", status=status, form=form, preview=queries.preview(db.session(), txn_id)
    )
