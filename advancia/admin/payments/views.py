"""Pages about money in: deposits with their refunds, disputes, and what lies in suspense."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, flash, request, url_for
from flask.typing import ResponseReturnValue

from advancia import audit
from advancia.admin.carrying_out import carry_out
from advancia.admin.customers import queries as customers
from advancia.admin.lists import PAGE_SIZE, Filters, before_here, listed
from advancia.admin.payments import queries, second_person, suspense_queries
from advancia.admin.payments.forms import (
    CoinForm,
    CoinRefundForm,
    CreditForm,
    DepositFilters,
    DisputeFilters,
    RefundForm,
    ReturnForm,
    StrayFilters,
)
from advancia.core.db import Session, db, unit_of_work
from advancia.core.large_amounts import LARGEST_WITHOUT
from advancia.core.permissions import Permission
from advancia.payments.refunds import booking
from advancia.payments.strays import services as strays
from advancia.providers.errors import ProviderError
from advancia.reconciliation import onward
from advancia.wallet.queries import PROVIDER_WORDS
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other, tagged, unchanged

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
    return _render("index", form=form, page=page)


@bp.get("/<uuid:deposit_id>")
@staff_required(Permission.SEE_TRANSACTIONS)
def show(deposit_id: UUID) -> ResponseReturnValue:
    return _polled("show", queries.deposit(db.session(), deposit_id))


@bp.get("/<uuid:deposit_id>/refund")
@staff_required(Permission.APPROVE)
@confirmed
def refund(deposit_id: UUID) -> ResponseReturnValue:
    deposit = queries.deposit(db.session(), deposit_id)
    return _refund_page(_refund_form(deposit), deposit)


@bp.post("/<uuid:deposit_id>/refund")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def create_refund(deposit_id: UUID) -> ResponseReturnValue:
    deposit = queries.deposit(db.session(), deposit_id)
    form, actor = _refund_form(deposit), current_actor()

    def wish() -> dict[str, Any]:
        is_whole = isinstance(form, CoinRefundForm)
        return {
            "actor": actor,
            "deposit_id": deposit_id,
            "amount": (deposit.row.credited or deposit.refundable) if is_whole else form.money,
            "address": entered(form.address) if is_whole else None,
            "reason": entered(form.reason),
            "allow_debt": form.allow_debt.data,
        }

    return carry_out(
        form,
        lambda session: second_person.refund(session, request_id=form.request_id.uuid, **wish()),
        ask=lambda session: second_person.ask_for_refund(session, **wish()),
        page=lambda: _refund_page(form, queries.deposit(db.session(), deposit_id), status=422),
        then=url_for(".show", deposit_id=deposit_id),
        said="Asked for. It is on its way to the provider.",
    )


def _refund_form(deposit: queries.DepositDetail) -> RefundForm | CoinRefundForm:
    if deposit.is_crypto:
        return CoinRefundForm(deposit.network_of_refund)
    return RefundForm(deposit.row.amount.asset, amount=deposit.refundable.plain)


@bp.post("/<uuid:deposit_id>/resend")
@staff_required(Permission.REPLAY_WEBHOOKS)
def resend(deposit_id: UUID) -> ResponseReturnValue:
    """Ask the crypto provider to tell of this deposit once more."""
    deposit, gateway = queries.deposit(db.session(), deposit_id), current_app.extensions["crypto_gateway"]
    db.session.rollback()  # no transaction is open while the provider is asked
    here = see_other(url_for(".show", deposit_id=deposit_id))
    if gateway is None or gateway.name != deposit.row.provider or deposit.checkout_id is None:
        flash("There is nobody to be asked about this deposit.", "error")
        return here
    try:
        gateway.resend(deposit.checkout_id)
    except ProviderError as trouble:
        flash(str(trouble), "error")
        return here
    with unit_of_work() as session:
        audit.record(session, current_actor(), action="webhook.asked_again", kind="deposit", id=deposit_id)
    flash("Asked. It comes into the inbox within moments.", "success")
    return here


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
    rows = suspense_queries.strays(
        db.session(), state=form.good("state"), before=before_here(), limit=PAGE_SIZE + 1
    )
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    page, totals = listed(rows[:PAGE_SIZE], older=older, form=form), strays.in_suspense(db.session())
    corrected = onward.waiting(db.session())
    return _render("suspense", form=form, page=page, totals=list(totals.values()), corrected=corrected)


@bp.get("/suspense/<int:stray_id>")
@staff_required(Permission.APPROVE)
def stray(stray_id: int) -> ResponseReturnValue:
    detail = suspense_queries.stray_detail(db.session(), stray_id)
    return _stray_page(CreditForm(data={"who": detail.owner.email} if detail.owner else None), detail)


@bp.post("/suspense/<int:stray_id>")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def credit_stray(stray_id: int) -> ResponseReturnValue:
    form, actor = CreditForm(), current_actor()
    if form.send_back.data:  # nothing is done yet: only the reason that was typed comes along
        detail = suspense_queries.stray_detail(db.session(), stray_id)
        return _return_page(_return_form(detail, formdata=None, data={"reason": form.reason.data}), detail)

    def wish(session: Session) -> dict[str, Any]:
        user_id = customers.named(session, entered(form.who))
        return {"actor": actor, "stray_id": stray_id, "user_id": user_id, "reason": entered(form.reason)}

    return carry_out(
        form,
        lambda session: second_person.credit(session, **wish(session)),
        ask=lambda session: second_person.ask_for_credit(session, **wish(session)),
        page=lambda: _stray_page(form, suspense_queries.stray_detail(db.session(), stray_id), status=422),
        then=url_for(".stray", stray_id=stray_id),
        said="Credited.",
    )


@bp.get("/suspense/<int:stray_id>/return")
@staff_required(Permission.APPROVE)
@confirmed
def return_stray(stray_id: int) -> ResponseReturnValue:
    detail = suspense_queries.stray_detail(db.session(), stray_id)
    return _return_page(_return_form(detail), detail)


@bp.post("/suspense/<int:stray_id>/return")
@staff_required(Permission.APPROVE)
@confirmed
@checked_by_its_form
def create_return(stray_id: int) -> ResponseReturnValue:
    form, actor = _return_form(suspense_queries.stray_detail(db.session(), stray_id)), current_actor()

    def wish() -> dict[str, Any]:
        address = entered(form.address) if isinstance(form, CoinForm) else None
        return {"actor": actor, "stray_id": stray_id, "reason": entered(form.reason), "address": address}

    return carry_out(
        form,
        lambda session: second_person.send_back(session, request_id=form.request_id.uuid, **wish()),
        ask=lambda session: second_person.ask_to_send_back(session, **wish()),
        page=lambda: _return_page(form, suspense_queries.stray_detail(db.session(), stray_id), status=422),
        then=url_for(".stray", stray_id=stray_id),
        said="Sent. It is on its way to the provider.",
    )


def _return_form(detail: suspense_queries.StrayDetail, **given: Any) -> ReturnForm | CoinForm:
    return CoinForm(detail.network, **given) if detail.is_crypto else ReturnForm(**given)


def _refund_page(
    form: RefundForm | CoinRefundForm, deposit: queries.DepositDetail, status: int = 200
) -> ResponseReturnValue:
    large = LARGEST_WITHOUT[deposit.row.amount.asset.code]
    return _render("refund", status=status, form=form, deposit=deposit, large=large, money=booking.amount_of)


def _polled(name: str, deposit: queries.DepositDetail) -> ResponseReturnValue:
    """A page that asks again while a refund is on its way."""
    if (same := unchanged(deposit.version)) is not None:
        return same
    return tagged(_render(name, deposit=deposit, money=booking.amount_of), deposit.version)


def _stray_page(
    form: CreditForm, detail: suspense_queries.StrayDetail, status: int = 200
) -> ResponseReturnValue:
    return _render("stray", status=status, form=form, detail=detail, money=booking.amount_of)


def _return_page(
    form: ReturnForm | CoinForm, detail: suspense_queries.StrayDetail, status: int = 200
) -> ResponseReturnValue:
    return _render("return", status=status, form=form, detail=detail)


def _valid(form: Filters) -> Filters:
    form.validate()
    return form


def _render(name: str, *, status: int = 200, **facts: object) -> Response:
    return render(
        f"admin/payments/{name}.html",
        status=status,
        waiting=queries.waiting(db.session()),
        provider_words=lambda provider: PROVIDER_WORDS.get(provider, provider),
        **facts,
    )
