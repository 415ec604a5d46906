"""The hosted page on which the customer pays, declines, leaves or pays later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from advancia.core.money import Money, asset
from advancia.providers.sandbox.cards import Cards
from advancia.providers.sandbox.errors import ApiError, NotOpen

MERCHANT = "Advancia"


@dataclass(frozen=True)
class Page:
    """What the templates show of a session."""

    id: str
    amount: str
    description: str
    merchant: str


def pages(*, cards: Cards) -> Blueprint:
    """The routes under /checkout, open to whoever knows the address, as at the real provider."""
    bp = Blueprint("pages", __name__, url_prefix="/checkout")
    checkouts = cards.checkouts
    afterwards = _afterwards(cards)
    outcomes: dict[str, Callable[[str], dict[str, Any]]] = {
        "pay": checkouts.pay,
        "later": checkouts.pay_later,
        "later-fail": lambda session_id: checkouts.pay_later(session_id, fails=True),
        "decline": checkouts.decline,
        "cancel": checkouts.page,
    }

    @bp.errorhandler(ApiError)
    def missing(error: ApiError) -> ResponseReturnValue:
        return Response("There is no such payment page.", error.status, mimetype="text/plain")

    @bp.get("/<session_id>")
    def show(session_id: str) -> ResponseReturnValue:
        session = checkouts.page(session_id)
        if session["status"] == "complete":
            return _closed(
                session,
                "Already done",
                "This payment is done. There is nothing left to pay here.",
                afterwards=session["payment_status"] == "paid",
            )
        if not checkouts.is_payable(session):
            return _expired(session)
        return _shown(session, "checkout")

    @bp.get("/<session_id>/declined")
    def declined(session_id: str) -> ResponseReturnValue:
        session = checkouts.page(session_id)
        return _closed(
            session,
            checkouts.failure_of(session) or "The payment was not declined.",
            "Nothing was charged. You can go back and try again.",
        )

    @bp.post("/<session_id>")
    def choose(session_id: str) -> ResponseReturnValue:
        outcome = request.form.get("outcome", "")
        if outcome in afterwards:
            afterwards[outcome](checkouts.page(session_id)["payment_intent"] or "")
            return redirect(f"/checkout/{session_id}", 303)
        if outcome not in outcomes:
            return Response("Choose one of the buttons on the page.", 422, mimetype="text/plain")
        try:
            session = outcomes[outcome](session_id)
        except NotOpen:
            return _expired(checkouts.page(session_id))
        return redirect(_where_to(session, outcome), 303)

    return bp


def _afterwards(cards: Cards) -> dict[str, Callable[[str], object]]:
    """What the customer's bank, or somebody at the provider's own pages, may do with a payment later."""
    refunds, disputes = cards.refunds, cards.disputes

    def close(payment: str, *, won: bool) -> None:
        for each in disputes.of("", {"payment_intent": payment})["data"]:
            disputes.close(each["id"], won=won)

    return {
        "refund": lambda payment: refunds.create({"payment_intent": payment}),
        "dispute": disputes.open,
        "dispute-won": lambda payment: close(payment, won=True),
        "dispute-lost": lambda payment: close(payment, won=False),
    }


def _where_to(session: dict[str, Any], outcome: str) -> str:
    if outcome == "cancel":
        return session["cancel_url"] or f"/checkout/{session['id']}"
    if session["status"] == "complete":
        return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])
    return f"/checkout/{session['id']}/declined"


def _expired(session: dict[str, Any]) -> Response:
    return _closed(
        session,
        "This payment page has expired",
        "Nothing was charged. Go back and start again.",
        status=410,
    )


def _closed(
    session: dict[str, Any], title: str, message: str, *, status: int = 200, afterwards: bool = False
) -> Response:
    return_url = session["cancel_url"] or session["success_url"]
    words = {"title": title, "message": message, "return_url": return_url, "afterwards": afterwards}
    return _shown(session, "done", status=status, **words)


def _shown(session: dict[str, Any], template: str, *, status: int = 200, **more: Any) -> Response:
    page = Page(
        id=session["id"],
        amount=str(Money(session["amount_total"], asset(session["currency"].upper()))),
        description=session["sandbox"]["description"],
        merchant=MERCHANT,
    )
    answer = make_response(render_template(f"sandbox/{template}.html", session=page, **more), status)
    # Browsers hold the redirect after a form against form-action as well.
    answer.headers["Content-Security-Policy"] = content_security_policy(
        session["success_url"], session["cancel_url"]
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def content_security_policy(*form_targets: str | None) -> str:
    """No scripts at all; styles and pictures of our own; forms that may lead to the given addresses."""
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, filter(None, form_targets))}
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        + " ".join(["form-action 'self'", *sorted(origins)])
    )
