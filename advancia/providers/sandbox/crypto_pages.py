"""The hosted page of an invoice, on which the payer's side and the network's are played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from advancia.providers.cryptomus import NETWORK_WORDS
from advancia.providers.cryptomus_states import words_for
from advancia.providers.sandbox.errors import ApiError, NotOpen
from advancia.providers.sandbox.invoices import OPEN, SHARES, Invoices
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
        return lambda invoice_id: invoices.send(
            invoice_id, Decimal(invoices.of(invoice_id)["amount"]) * share, **how
        )

    def turning(state: str) -> Callable[[str], Any]:
        return lambda invoice_id: invoices.become(invoice_id, state)

    return {
        **{name: sending(share) for name, share in SHARES.items()},
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
        amount=f"{invoice['amount']} {invoice['currency']}",
        arrived=f"{invoice['payment_amount']} {invoice['payer_currency']}",
        network=NETWORK_WORDS.get(invoice["network"], invoice["network"]),
        address=invoice["address"],
        state=invoice["payment_status"],
        state_words=words_for(invoice["payment_status"]),
        is_open=invoice["payment_status"] in OPEN,
        return_url=invoice["url_return"],
    )
    answer = make_response(render_template("sandbox/invoice.html", invoice=page), status)
    answer.headers["Content-Security-Policy"] = content_security_policy()
    answer.headers["Cache-Control"] = "no-store"
    return answer
