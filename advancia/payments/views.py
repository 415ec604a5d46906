"""Pages where a customer pays in."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, current_app, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core import log
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.payments import queries, services
from advancia.payments.errors import AlreadyAsked, AmountOutOfRange
from advancia.payments.forms import DepositForm
from advancia.payments.queries import DepositView
from advancia.providers.stripe import CardGateway, ProviderError, ProviderNotSetUp
from advancia.wallet import views as wallet
from advancia.web.access import current_actor, customer_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import options
from advancia.web.htmx import render, see_other, tagged, unchanged
from advancia.web.limits import limiter

bp = Blueprint("deposits", __name__, url_prefix="/deposits")

_log = log.logger(__name__)


@dataclass(frozen=True)
class Limits:
    min: Money
    max: Money


@bp.get("/new")
@customer_required
def new() -> ResponseReturnValue:
    return _form_page(_form())


@bp.post("/new")
@customer_required
@checked_by_its_form
@limiter.limit("30 per minute")
def create() -> ResponseReturnValue:
    form = _form()
    if not form.validate_on_submit():
        return _form_page(form, status=422)
    try:
        with unit_of_work() as session:
            deposit_id = services.request_deposit(
                session,
                actor=current_actor(),
                amount=form.money,
                provider=form.provider.data,
                request_id=form.request_id.uuid,
            )
    except AmountOutOfRange as refusal:
        form.refuse(form.amount, str(refusal))
        return _form_page(form, status=422)
    except AlreadyAsked as refusal:
        form.request_id.renew()
        form.refuse(form.amount, str(refusal))
        return _form_page(form, status=422)
    return _to_checkout(queries.deposit_of(db.session(), current_user.id, deposit_id))


@bp.get("/<uuid:deposit_id>")
@customer_required
def show(deposit_id: UUID) -> ResponseReturnValue:
    deposit = queries.deposit_of(db.session(), current_user.id, deposit_id)
    if (same := unchanged(deposit.version)) is not None:
        return same
    page = render("deposits/show.html", deposit=deposit, version=deposit.version)
    return tagged(page, deposit.version)


@bp.post("/<uuid:deposit_id>/checkout")
@customer_required
@limiter.limit("30 per minute")
def retry(deposit_id: UUID) -> ResponseReturnValue:
    return _to_checkout(queries.deposit_of(db.session(), current_user.id, deposit_id))


@bp.app_template_global()
def open_deposits() -> list[DepositView]:
    """What the signed-in customer has on its way, for pages of rooms below this one."""
    return queries.open_deposits_of(db.session(), current_user.id)


# The wallet shows them, and so its tag must change with them.
wallet.TAG_PARTS.append(queries.open_version)


def _to_checkout(deposit: DepositView) -> ResponseReturnValue:
    """Lead the customer to the payment page, which is opened at the provider unless it stands open already."""
    own_page = url_for(".show", deposit_id=deposit.id)
    if not deposit.can_retry:
        return see_other(own_page)
    if deposit.checkout_url:
        return see_other(deposit.checkout_url)
    customer_email, public_url = current_user.email, current_app.extensions["settings"].public_url
    db.session.rollback()  # no transaction is open while the provider is asked
    try:
        checkout = _gateway().create_checkout(
            deposit_id=deposit.id,
            amount=deposit.amount,
            customer_email=customer_email,
            success_url=public_url + own_page,
            cancel_url=public_url + own_page,
            expires_at=deposit.expires_at,
        )
    except ProviderError as trouble:
        _log.warning("checkout_not_opened", deposit=str(deposit.id), detail=trouble.detail)
        flash(str(trouble), "error")
        return see_other(own_page)
    with unit_of_work() as session:
        services.record_checkout(session, deposit_id=deposit.id, checkout=checkout)
    return see_other(checkout.url or own_page)


def _gateway() -> CardGateway:
    gateway: CardGateway | None = current_app.extensions["gateway"]
    if gateway is None:
        raise ProviderNotSetUp
    return gateway


def _form() -> DepositForm:
    form = DepositForm()
    gateway = _gateway()
    form.provider.choices = options((gateway.name, gateway.label))
    if not form.provider.data or form.provider.data == "None":
        form.provider.data = gateway.name
    return form


def _form_page(form: DepositForm, status: int = 200) -> ResponseReturnValue:
    limits = Limits(services.SMALLEST, services.LARGEST)
    return render("deposits/new.html", status=status, form=form, limits=limits)
