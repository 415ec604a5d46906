"""Pages of the wallet: what there is, and what has moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia import ledger
from advancia.core.db import Session, db
from advancia.ledger import debts
from advancia.wallet import queries
from advancia.wallet.forms import HistoryForm
from advancia.web.access import customer_required
from advancia.web.htmx import render, see_other, tagged, unchanged

bp = Blueprint("wallet", __name__)

RECENT = 6
# Rooms above this one that show something on the wallet add what changes with it.
TAG_PARTS: list[Callable[[Session, int], str]] = []


@dataclass(frozen=True)
class HistoryPage:
    """A page of the history with the addresses of its neighbours."""

    rows: Sequence[queries.Movement]
    filtered: bool
    older_url: str | None
    newest_url: str | None


@bp.app_template_global()
def rolled_back_by(reference: str) -> str | None:
    """For the receipts of every room: the reference of the transaction that undid this one, if one did."""
    return queries.rolled_back_by(db.session(), reference)


@bp.get("/wallet")
@customer_required
def home() -> ResponseReturnValue:
    session = db.session()
    parts = [str(ledger.version_of(session, current_user.id))]
    version = "-".join(parts + [part(session, current_user.id) for part in TAG_PARTS])
    if (same := unchanged(version)) is not None:
        return same
    page = render(
        "wallet/home.html",
        version=version,
        lines=ledger.balances_of(session, current_user.id),
        debts=debts.owed_by(session, current_user.id).values(),
        movements=queries.history(session, current_user.id, size=RECENT).rows,
    )
    return tagged(page, version)


@bp.get("/history")
@customer_required
def history() -> ResponseReturnValue:
    form = HistoryForm(formdata=request.args)
    form.validate()
    try:
        page = queries.history(
            db.session(), current_user.id, filters=form.filters, before=request.args.get("before")
        )
    except queries.BadCursor:
        return see_other(_history_url())
    shown = HistoryPage(
        rows=page.rows,
        filtered=form.filters.any,
        older_url=_history_url(before=page.older) if page.older else None,
        newest_url=_history_url() if request.args.get("before") else None,
    )
    return render("wallet/history.html", form=form, page=shown)


@bp.get("/history/<reference>")
@customer_required
def movement(reference: str) -> ResponseReturnValue:
    legs = queries.movement(db.session(), current_user.id, reference)
    return render("wallet/movement.html", movement=legs[0], legs=legs)


def _history_url(**more: str) -> str:
    """This history with its filters, on another page of it. Nothing else of the address is taken along."""
    kept: dict[str, Any] = {
        each.name: value for each in fields(queries.Filters) if (value := request.args.get(each.name))
    }
    return url_for(".history", **{**kept, **more})
