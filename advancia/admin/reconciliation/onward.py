"""The page from which money goes on that a correction has put into suspense."""

from __future__ import annotations

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.carrying_out import carry_out
from advancia.admin.customers import queries as customers
from advancia.admin.reconciliation.forms import OnwardForm
from advancia.core.db import Session, db
from advancia.core.large_amounts import is_large
from advancia.core.permissions import Permission
from advancia.reconciliation import onward, queries
from advancia.reconciliation.errors import AlreadySentOn
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render

bp = Blueprint("onward", __name__, url_prefix="/differences/<int:difference_id>/onward")


@bp.get("")
@staff_required(Permission.APPROVE)
@confirmed
def show(difference_id: int) -> ResponseReturnValue:
    return _page(OnwardForm(), difference_id)


@bp.post("")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def send(difference_id: int) -> ResponseReturnValue:
    form, actor = OnwardForm(), current_actor()

    def send_on(session: Session) -> object:
        user_id = _whose(session, form)
        reason = entered(form.reason)
        return onward.send_on(
            session, actor=actor, difference_id=difference_id, user_id=user_id, reason=reason
        )

    return carry_out(
        form,
        send_on,
        page=lambda: _page(form, difference_id, status=422),
        then=url_for("admin.reconciliation.differences.show", difference_id=difference_id),
        said="Sent on. Nothing of it lies in suspense any more.",
        late=(AlreadySentOn,),
    )


def _whose(session: Session, form: OnwardForm) -> int | None:
    return customers.named(session, entered(form.who)) if form.is_for_customer else None


def _page(form: OnwardForm, difference_id: int, status: int = 200) -> ResponseReturnValue:
    row = queries.difference(db.session(), difference_id)
    lying = onward.of_difference(db.session(), difference_id)
    return render(
        "admin/reconciliation/onward.html",
        status=status,
        form=form,
        row=row,
        lying=lying,
        is_own=lying is not None and is_large(lying.amount) and lying.resolved_by == current_actor().user_id,
    )
