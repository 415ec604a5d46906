"""The hosted page of an invoice, on which the payer's side and the network's are played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from advancia.core.money import ASSETS, Money, asset
from advancia.providers.cryptomus import network_words
from advancia.providers.cryptomus_states import words_for
from advancia.providers.sandbox.errors import ApiError, NotOpen
from advancia.providers.sandbox.invoices import OPEN, SHARES, UNDERPAID, Invoices
from advancia.providers.sandbox.pages import MERCHANT, content_security_policy


@dataclass(frozen=True)
class InvoicePage:
    """What the template shows of an invoice."""

    id: str
    amount: str
    arrived: str
    network: str
    address: str
    state: str
    state_words: str
    is_open: bool
    return_url: str | None
    rest: str | None  # what is missing, once something has come
    merchant: str = MERCHANT


def crypto_pages(*, invoices: Invoices) -> Blueprint:
    """The routes under /pay, open to whoever knows the address, as at the real provider."""
    bp = Blueprint("crypto_pages", __name__, url_prefix="/pay")
    acts = _acts(invoices)

    @bp.errorhandler(ApiError)
    def missing(error: ApiError) -> ResponseReturnValue:
        return Response("There is no such payment page.", error.status, mimetype="text/plain")

    @bp.get("/<invoice_id>")
    def show(invoice_id: str) -> ResponseReturnValue:
        return _shown(invoices.of(invoice_id))

    @bp.post("/<invoice_id>")
    def act(invoice_id: str) -> ResponseReturnValue:
        outcome = request.form.get("outcome", "")
        if outcome not in acts:
            return Response("Choose one of the buttons on the page.", 422, mimetype="text/plain")
        try:
            acts[outcome](invoice_id)
        except NotOpen:
            return _shown(invoices.of(invoice_id), status=410)
        return redirect(f"/pay/{invoice_id}", 303)

    return bp


def _acts(invoices: Invoices) -> dict[str, Callable[[str], Any]]:
    def sending(share: Decimal, **how: str) -> Callable[[str], Any]:
        return lambda invoice_id: invoices.send(invoice_id, _share_of(invoices.of(invoice_id), share), **how)

    def turning(state: str) -> Callable[[str], Any]:
        return lambda invoice_id: invoices.become(invoice_id, state)

    return {
        **{name: sending(share) for name, share in SHARES.items()},
        "rest": lambda invoice_id: invoices.send(invoice_id, _rest_of(invoices.of(invoice_id))),
        "wrong-network": sending(Decimal(1), network="bsc"),
        "confirm": invoices.confirm,
        "lock": turning("locked"),
        "unlock": turning("paid"),
        "give-back": turning("refund_process"),
        "given-back": turning("refund_paid"),
        "not-given-back": turning("refund_fail"),
        "expire": invoices.expire,
    }


def _shown(invoice: dict[str, Any], *, status: int = 200) -> Response:
    page = InvoicePage(
        id=invoice["id"],
        amount=_words(invoice["amount"], invoice["currency"]),
        arrived=_words(invoice["payment_amount"], invoice["payer_currency"]),
        network=network_words(invoice["network"]),
        address=invoice["address"],
        state=invoice["payment_status"],
        state_words=words_for(invoice["payment_status"]),
        is_open=invoice["payment_status"] in OPEN,
        return_url=_way_back(invoice),
        rest=_words(_rest_of(invoice), invoice["currency"])
        if invoice["payment_status"] == UNDERPAID
        else None,
    )
    answer = make_response(render_template("sandbox/invoice.html", invoice=page), status)
    answer.headers["Content-Security-Policy"] = content_security_policy()
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _words(amount: Decimal | str, code: str) -> str:
    """With the coin's own decimals; of a coin that the product does not keep, as it is."""
    of_asset = ASSETS.get(code)
    return str(Money.of(f"{Decimal(amount):f}", code)) if of_asset else f"{amount} {code}"


def _share_of(invoice: dict[str, Any], share: Decimal) -> Decimal:
    """That part of what was asked, in whole units of the coin."""
    unit = Decimal(1).scaleb(-asset(invoice["currency"]).decimals)
    return (Decimal(invoice["amount"]) * share).quantize(unit, ROUND_DOWN)


def _rest_of(invoice: dict[str, Any]) -> Decimal:
    return max(Decimal(invoice["amount"]) - Decimal(invoice["payment_amount"]), Decimal())


def _way_back(invoice: dict[str, Any]) -> str | None:
    """The shop has a page for those who have paid, and one for all others."""
    has_paid = invoice["payment_status"] in ("confirm_check", "paid", "paid_over")
    way: str | None = (has_paid and invoice.get("url_success")) or invoice["url_return"]
    return way
