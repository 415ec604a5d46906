"""The first page of staff, the search over everything, and the keys; the rooms hang below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.admin import denials, parties
from advancia.admin import home as first_page
from advancia.admin.alarms import views as alarm_room
from advancia.admin.approvals import views as approvals
from advancia.admin.backups import proofs
from advancia.admin.backups import views as backups
from advancia.admin.clock import views as clock
from advancia.admin.customers import queries as customer_queries
from advancia.admin.customers import views as customers
from advancia.admin.customers.queries import CustomerRow
from advancia.admin.health import views as health
from advancia.admin.inbox import views as inbox
from advancia.admin.launch import views as launch
from advancia.admin.lockdown import views as lockdown_room
from advancia.admin.payments import queries as money_in
from advancia.admin.payments import views as payments
from advancia.admin.reconciliation import views as reconciliation
from advancia.admin.rollbacks import views as rollbacks
from advancia.admin.rooms import rooms_for
from advancia.admin.staff import views as staff
from advancia.admin.trail import views as trail
from advancia.admin.transactions import queries as transaction_queries
from advancia.admin.transactions import views as transactions
from advancia.admin.work import views as work
from advancia.core import alarms
from advancia.core.db import Session, db
from advancia.core.permissions import Permission
from advancia.ledger import staff_queries
from advancia.ledger.staff_queries import TransactionRow
from advancia.ops import books as ledger_books
from advancia.web import lockdown
from advancia.web.access import may, staff_required
from advancia.web.forms import cleaned
from advancia.web.htmx import render, see_other

bp = Blueprint("admin", __name__, url_prefix="/admin")

for room in (
    customers,
    transactions,
    payments,
    rollbacks,
    approvals,
    inbox,
    work,
    trail,
    staff,
    launch,
    backups,
    proofs,
    lockdown_room,
    health,
    clock,
    alarm_room,
    reconciliation,
):
    bp.register_blueprint(room.bp)

SHOWN_FOUND = 20
LONGEST_SEARCH = 254


@bp.record_once
def _note_denials(state: BlueprintSetupState) -> None:
    state.app.extensions["note_denial"] = denials.note


@bp.context_processor
def _frame() -> dict[str, Any]:
    """What every staff page is given. The page of an error is nobody's, and asks the database for nothing."""
    if not current_user.is_authenticated:
        return {}
    return {
        "rooms": rooms_for(current_user.role),
        "open_alarms_count": alarms.open_count(db.session()) if may(Permission.RECONCILE) else 0,
        "lockdown": lockdown.watch().now(),
        "house_words": parties.house_words,
        "kind_words": parties.kind_words,
        "purpose_words": parties.PURPOSE_WORDS,
    }


@bp.get("/")
@staff_required()
def home() -> ResponseReturnValue:
    session = db.session()
    return render(
        "admin/home.html",
        approvals=first_page.waiting_approvals(session) if may(Permission.APPROVE) else 0,
        work=first_page.work(session),
        open_alarms=alarms.open_alarms(session) if may(Permission.RECONCILE) else [],
        money_in=money_in.waiting(session) if may(Permission.SEE_TRANSACTIONS) else (0, 0),
        books=ledger_books.books(session),
        people=first_page.people(session) if may(Permission.SEE_CUSTOMERS) else None,
    )


@bp.get("/search")
@staff_required()
def search() -> ResponseReturnValue:
    """All that the words may mean; a single find is opened at once."""
    text = cleaned(request.args.get("q"))[:LONGEST_SEARCH]
    session = db.session()
    people = _people(session, text) if text and may(Permission.SEE_CUSTOMERS) else []
    rows = _transactions(session, text) if text and may(Permission.SEE_TRANSACTIONS) else []
    if len(rows) + len(people) == 1:
        return see_other(_page_of_only(people, rows))
    return render(
        "admin/search.html",
        text=text,
        customers=people,
        transactions=rows,
        people=parties.named(session, rows),
    )


@bp.get("/keys")
@staff_required()
def keys() -> ResponseReturnValue:
    return render("admin/keys.html")


def _people(session: Session, text: str) -> Sequence[CustomerRow]:
    """Those who fit; whose whole email, handle or id it is, stands alone."""
    exact = customer_queries.id_of(session, text)
    wanted = text if exact is None else str(exact)
    return customer_queries.customers(session, text=wanted, state=None, before=None, limit=SHOWN_FOUND)


def _transactions(session: Session, text: str) -> Sequence[TransactionRow]:
    return staff_queries.rows_of(session, transaction_queries.ids_meant_by(session, text))


def _page_of_only(people: Sequence[CustomerRow], rows: Sequence[TransactionRow]) -> str:
    if people:
        return url_for(".customers.show", user_id=people[0].id)
    return url_for(".transactions.show", txn_id=rows[0].id)
