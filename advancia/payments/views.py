"""Pages where a customer pays in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from flask import Blueprint, current_app, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core import log
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.payments import offers, queries, services
from advancia.payments.errors import AlreadyAsked, AmountOutOfRange, NotOffered
from advancia.payments.forms import WORDS, DepositForm
from advancia.payments.offers import Terms
from advancia.payments.shown import DepositView, Shares
from advancia.payments.wording import DEBT_WORDS
from advancia.providers.cryptomus import CryptoGateway
from advancia.providers.stripe import CardGateway, ProviderError, ProviderNotSetUp
from advancia.wallet import views as wallet
from advancia.web.access import current_actor, customer_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.htmx import render, see_other, tagged, unchanged
from advancia.web.limits import limiter

bp = Blueprint("deposits", __name__, url_prefix="/deposits")

Gateway = CardGateway | CryptoGateway

# What is worth the same, so that an amount typed in the one makes sense in the other.
DOLLARS = {"USD", "USDT"}

_log = log.logger(__name__)


@dataclass(frozen=True)
class Way:
    """A way to pay in the chosen asset, as the form shows it."""

    provider: str
    label: str
    terms: Terms
    is_away: bool  # it does not answer just now


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
    except (AmountOutOfRange, NotOffered) as refusal:
        form.refuse(form.amount, str(refusal))
        return _form_page(form, status=422)
    except AlreadyAsked as refusal:
        form.request_id.renew()
        form.refuse(form.amount, str(refusal))
        return _form_page(form, status=422)
    return _to_checkout(queries.deposit_of(db.session(), current_user.id, deposit_id))


@bp.get("/")
@customer_required
def index() -> ResponseReturnValue:
    session, user_id = db.session(), current_user.id
    waiting, ended = queries.open_deposits_of(session, user_id), queries.ended_deposits_of(session, user_id)
    return render("deposits/index.html", waiting=waiting, ended=ended)


@bp.get("/<uuid:deposit_id>")
@customer_required
def show(deposit_id: UUID) -> ResponseReturnValue:
    found = queries.deposit_of(db.session(), current_user.id, deposit_id)
    deposit = replace(found, says_paid="paid" in request.args)
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


@bp.app_template_global()
def payment_behind(reference: str) -> str | None:
    """Where the payment is shown that a line of the signed-in customer's history is about, if it is about one."""
    found = queries.deposit_behind(db.session(), current_user.id, reference)
    return url_for("deposits.show", deposit_id=found) if found else None


@bp.app_template_global()
def owed_through(reference: str) -> Shares | None:
    """What of a line of the signed-in customer's history was not there, so that they owe it."""
    return queries.shares_of(db.session(), current_user.id, reference)


@bp.app_template_global()
def debt_words() -> str:
    """Why somebody may owe us, and what happens next: the same wherever a debt is told."""
    return DEBT_WORDS


# The wallet shows them, and so its tag must change with them.
wallet.TAG_PARTS.append(queries.open_version)


def _to_checkout(deposit: DepositView) -> ResponseReturnValue:
    """Lead the customer to the payment page, which is opened at the provider unless it stands open already."""
    own_page = url_for(".show", deposit_id=deposit.id)
    if not deposit.can_retry:
        return see_other(own_page)
    if deposit.checkout_url:
        return see_other(deposit.checkout_url)
    customer_email, gateway = current_user.email, _gateway_of(deposit)
    db.session.rollback()  # no transaction is open while the provider is asked
    try:
        checkout_id, url = _opened(gateway, deposit, customer_email, own_page)
    except ProviderError as trouble:
        _log.warning("checkout_not_opened", deposit=str(deposit.id), detail=trouble.detail)
        flash(str(trouble), "error")
        return see_other(own_page)
    with unit_of_work() as session:
        services.record_checkout(session, deposit_id=deposit.id, checkout_id=checkout_id, url=url)
    return see_other(url or own_page)


def _opened(
    gateway: Gateway, deposit: DepositView, customer_email: str, own_page: str
) -> tuple[str, str | None]:
    """The id and address of the payment page, opened for this deposit now or before."""
    public_url = current_app.extensions["settings"].public_url
    if isinstance(gateway, CryptoGateway):
        invoice = gateway.create_invoice(
            deposit_id=deposit.id,
            amount=deposit.amount,
            return_url=public_url + own_page,
            success_url=public_url + _after_paying(deposit),
            callback_url=public_url + url_for("webhooks.cryptomus"),
            lifetime=deposit.expires_at - utcnow(),
        )
        return invoice.id, invoice.url
    checkout = gateway.create_checkout(
        deposit_id=deposit.id,
        amount=deposit.amount,
        customer_email=customer_email,
        success_url=public_url + _after_paying(deposit),
        cancel_url=public_url + own_page,
        expires_at=deposit.expires_at,
        customer=deposit.customer,
    )
    return checkout.id, checkout.url


def _after_paying(deposit: DepositView) -> str:
    """Where somebody comes back to who has paid. Anybody can go there, so it changes what the page says and no more."""
    return url_for(".show", deposit_id=deposit.id, paid=1)


def _gateways() -> list[Gateway]:
    found = (current_app.extensions["gateway"], current_app.extensions["crypto_gateway"])
    gateways = [gateway for gateway in found if gateway is not None]
    if not gateways:
        raise ProviderNotSetUp
    return gateways


def _gateway_of(deposit: DepositView) -> Gateway:
    for gateway in _gateways():
        if gateway.name == deposit.provider:
            return gateway
    raise ProviderNotSetUp


def _form() -> DepositForm:
    form = DepositForm(asset=request.args.get("asset"), amount=request.args.get("amount"))
    if form.code not in _assets():
        form.asset.data = form.code if form.is_submitted() else _assets()[0]
    form.offer(*((way.provider, way.label) for way in _ways(form.code)))
    return form


def _assets() -> list[str]:
    """The codes of what can be paid in here."""
    return [code for gateway in _gateways() for code in offers.assets_of(gateway.name)]


def _ways(code: str) -> list[Way]:
    return [
        Way(gateway.name, gateway.label, offers.terms(gateway.name, code), gateway.breaker.is_open)
        for gateway in _gateways()
        if code in offers.assets_of(gateway.name)
    ]


def _form_page(form: DepositForm, status: int = 200) -> ResponseReturnValue:
    assets = [(code, WORDS[code], {form.code, code} == DOLLARS) for code in _assets()]
    return render("deposits/new.html", status=status, form=form, ways=_ways(form.code), assets=assets)
