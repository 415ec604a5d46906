"""Pages about money in: deposits with their refunds, disputes, and what lies in suspense."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.customers import queries as customers
from advancia.admin.lists import PAGE_SIZE, Filters, before_here, listed
from advancia.admin.payments import queries
from advancia.admin.payments.forms import (
    CreditForm,
    DepositFilters,
    DisputeFilters,
    RefundForm,
    StrayFilters,
)
from advancia.core.db import db, in_unit_of_work
from advancia.core.errors import DomainError
from advancia.core.permissions import Permission
from advancia.ledger import InsufficientFunds
from advancia.payments.queries import STATE_WORDS
from advancia.payments.refunds import booking
from advancia.payments.refunds import services as refunds
from advancia.payments.strays import services as strays
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other

bp = Blueprint("payments", __name__, url_prefix="/payments")

MOST_DISPUTES = 200
NOBODY = -1


@bp.get("/")
@staff_required(Permission.SEE_TRANSACTIONS)
def index() -> ResponseReturnValue:
    form = _valid(DepositFilters(formdata=request.args))
    who = form.good("who")
    rows = queries.deposits(
        db.session(),
        state=form.good("state"),
        provider=form.good("provider"),
        user_id=(customers.id_of(db.session(), who) or NOBODY) if who else None,
        before=before_here(),
        limit=PAGE_SIZE + 1,
    )
    older = rows[PAGE_SIZE - 1].cursor if len(rows) > PAGE_SIZE else None
    page = listed(rows[:PAGE_SIZE], older=older, form=form)
    return _render("index", form=form, page=page, state_words=STATE_WORDS)


@bp.get("/<uuid:deposit_id>")
@staff_required(Permission.SEE_TRANSACTIONS)
def show(deposit_id: UUID) -> ResponseReturnValue:
    return _render(
        "show", deposit=queries.deposit(db.session(), deposit_id), state_words=STATE_WORDS, money=booking.amount_of
    )  # fmt: skip


@bp.get("/<uuid:deposit_id>/refund")
@staff_required(Permission.APPROVE)
@confirmed
def refund(deposit_id: UUID) -> ResponseReturnValue:
    deposit = queries.deposit(db.session(), deposit_id)
    return _refund_page(RefundForm(deposit.row.amount.asset, amount=deposit.refundable.plain), deposit)


@bp.post("/<uuid:deposit_id>/refund")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def create_refund(deposit_id: UUID) -> ResponseReturnValue:
    deposit = queries.deposit(db.session(), deposit_id)
    form = RefundForm(deposit.row.amount.asset)
    if not form.validate_on_submit():
        return _refund_page(form, deposit, status=422)
    db.session.rollback()
    try:
        _ask_for_refund(form, deposit_id)
    except InsufficientFunds as refusal:
        form.refuse(form.allow_debt, f"{refusal} Book the rest as their debt, or refund less.")
        return _refund_page(form, queries.deposit(db.session(), deposit_id), status=422)
    except DomainError as refusal:
        form.refuse(form.amount, str(refusal))
        return _refund_page(form, queries.deposit(db.session(), deposit_id), status=422)
    flash("Asked for. It is on its way to the provider.", "success")
    return see_other(url_for(".show", deposit_id=deposit_id))


@bp.get("/disputes")
@staff_required(Permission.SEE_TRANSACTIONS)
def disputes() -> ResponseReturnValue:
    form = _valid(DisputeFilters(formdata=request.args))
    rows = queries.disputes(db.session(), state=form.good("state"), limit=MOST_DISPUTES)
    return _render("disputes", form=form, page=listed(rows, older=None, form=form))


@bp.get("/suspense")
@staff_required(Permission.SEE_TRANSACTIONS)
def suspense() -> ResponseReturnValue:
    form = _valid(StrayFilters(formdata=request.args))
    rows = queries.strays(db.session(), state=form.good("state"), before=before_here(), limit=PAGE_SIZE + 1)
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    return _render("suspense", form=form, page=listed(rows[:PAGE_SIZE], older=older, form=form))


@bp.get("/suspense/<int:stray_id>")
@staff_required(Permission.APPROVE)
def stray(stray_id: int) -> ResponseReturnValue:
    owner = queries.owner_of(db.session(), queries.stray(db.session(), stray_id).deposit_id)
    return _stray_page(CreditForm(data={"who": owner.email} if owner else None), stray_id)


@bp.post("/suspense/<int:stray_id>")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def credit_stray(stray_id: int) -> ResponseReturnValue:
    form = CreditForm()
    queries.stray(db.session(), stray_id)
    if not form.validate_on_submit():
        return _stray_page(form, stray_id, status=422)
    user_id = customers.id_of(db.session(), entered(form.who))
    if user_id is None:
        form.refuse(form.who, "There is no such customer.")
        return _stray_page(form, stray_id, status=422)
    actor, reason = current_actor(), entered(form.reason)
    db.session.rollback()
    try:
        in_unit_of_work(
            lambda session: strays.credit(
                session, actor=actor, stray_id=stray_id, user_id=user_id, reason=reason
            )
        )
    except DomainError as refusal:
        form.refuse(form.who, str(refusal))
        return _stray_page(form, stray_id, status=422)
    flash("Credited.", "success")
    return see_other(url_for(".stray", stray_id=stray_id))


def _ask_for_refund(form: RefundForm, deposit_id: UUID) -> None:
    actor = current_actor()
    in_unit_of_work(
        lambda session: refunds.request_refund(
            session,
            actor=actor,
            deposit_id=deposit_id,
            amount=form.money,
            reason=entered(form.reason),
            request_id=form.request_id.uuid,
            allow_debt=form.allow_debt.data,
        )
    )


def _refund_page(form: RefundForm, deposit: queries.DepositDetail, status: int = 200) -> ResponseReturnValue:
    return _render("refund", status=status, form=form, deposit=deposit)


def _stray_page(form: CreditForm, stray_id: int, status: int = 200) -> ResponseReturnValue:
    found = queries.stray(db.session(), stray_id)
    owner = queries.owner_of(db.session(), found.deposit_id)
    return _render("stray", status=status, form=form, stray=found, owner=owner, amount_of=strays.left)


def _valid(form: Filters) -> Filters:
    form.validate()
    return form


def _render(name: str, *, status: int = 200, **facts: object) -> ResponseReturnValue:
    return render(
        f"admin/payments/{name}.html", status=status, waiting=queries.waiting(db.session()), **facts
    )
