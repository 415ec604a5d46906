"""Checkout sessions and their payments: what the customer does, and what then happens by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from advancia.providers.sandbox.errors import ApiError, NotOpen
from advancia.providers.sandbox.objects import OURS, announce, expanded, found, new_id
from advancia.providers.sandbox.payments import new_intent, succeed
from advancia.providers.sandbox.store import Store

SETTLE_SECONDS = 15.0
_DECLINED = "Your card was declined."
_BOUNCED = "The bank did not let the payment through."
_LEAST_CENTS, _MOST_CENTS = 50, 99_999_999
_LEAST_LIFE, _MOST_LIFE, _USUAL_LIFE = 30 * 60, 24 * 60 * 60, 24 * 60 * 60
_MOST_DIGITS = 15
_KNOWN = {
    "adaptive_pricing",
    "cancel_url",
    "client_reference_id",
    "customer",
    "customer_creation",
    "customer_email",
    "expand",
    "expires_at",
    "line_items",
    "metadata",
    "mode",
    "payment_intent_data",
    "success_url",
}


class Checkouts:
    """The rules. Each public method is one transaction, so that a double click or a race has one outcome."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], datetime],
        base_url: str,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._base_url = base_url
        self._settle_seconds = settle_seconds

    def create(self, params: dict[str, Any]) -> dict[str, Any]:
        """A new open session. Raises `ApiError` for parameters that Stripe would refuse."""
        now = self._now()
        if "customer" in params:
            found(self._store, params["customer"], "customer")
        session = _new_session(params, now=int(now), base_url=self._base_url)
        with self._store.transaction():
            self._store.keep(session)
            self._store.set_timer(session["id"], "expire", session["expires_at"])
        return self.expanded(session, params.get("expand"))

    def retrieve(self, session_id: str, expand: Any = None) -> dict[str, Any]:
        """The session as it stands. Raises `ApiError` (404)."""
        return self.expanded(self._session(session_id), expand)

    def of_payment(self, intent_id: str, expand: Any = None) -> list[dict[str, Any]]:
        """The session of that payment, as a list of at most one."""
        intent = self._store.object(intent_id)
        if intent is None or intent["object"] != "payment_intent" or intent[OURS]["session"] is None:
            return []
        inner = [name.removeprefix("data.") for name in expand or []]
        return [self.retrieve(intent[OURS]["session"], inner)]

    def close(self, thing_id: str) -> dict[str, Any]:
        """Expire an open session by the API. Raises `ApiError` when it is not open."""
        with self._store.transaction():
            session = self._session(thing_id)
            if session["status"] != "open":
                raise ApiError(
                    'Only Checkout Sessions with a status in ["open"] can be expired. '
                    f"This Checkout Session has a status of `{session['status']}`."
                )
            self._expire(session)
        return self.expanded(session, None)

    def pay(self, session_id: str) -> dict[str, Any]:
        """The customer pays. A second click finds it done. Raises `NotOpen` when the session has expired."""
        return self._finish(session_id, "paid", "succeeded")

    def pay_later(self, session_id: str, *, fails: bool = False) -> dict[str, Any]:
        """The customer starts a payment that takes its time, as a bank debit does."""
        return self._finish(session_id, "unpaid", "processing", then="bounce" if fails else "settle")

    def decline(self, session_id: str) -> dict[str, Any]:
        """The bank says no. As at Stripe the session stays open, and the customer may try again."""
        with self._store.transaction():
            session = self._open_session(session_id)
            if session["status"] == "open":
                self._fail_payment(session, _DECLINED)
        return session

    def page(self, session_id: str) -> dict[str, Any]:
        """The session with everything that its page needs. Raises `ApiError` (404)."""
        return self._session(session_id)

    def is_payable(self, session: dict[str, Any]) -> bool:
        return bool(session["status"] == "open" and session["expires_at"] > self._now())

    def failure_of(self, session: dict[str, Any]) -> str | None:
        """Why the last attempt failed, for the page."""
        intent = self._store.object(session["payment_intent"] or "") or {}
        return (intent.get("last_payment_error") or {}).get("message")

    def happen(self, session_id: str, what: str) -> None:
        """Let that happen to the session whose time has come."""
        {"expire": self._expire, "settle": self._settle, "bounce": self._bounce}[what](
            self._session(session_id)
        )

    def expanded(self, session: dict[str, Any], expand: Any) -> dict[str, Any]:
        """The session as the API shows it, with what `expand` names in full."""
        return expanded(self._store, session, expand)

    def _finish(
        self, session_id: str, payment_status: str, intent_status: str, *, then: str | None = None
    ) -> dict[str, Any]:
        with self._store.transaction():
            session = self._open_session(session_id)
            if session["status"] == "open":
                intent = self._intent_of(session)
                intent |= {"status": intent_status, "last_payment_error": None}
                if intent_status == "succeeded":
                    succeed(self._store, intent, self._now())
                session |= {"status": "complete", "payment_status": payment_status, "url": None}
                self._note_customer(session)
                intent["customer"] = session["customer"]
                self._store.clear_timers(session_id)
                if then:
                    self._store.set_timer(session_id, then, self._now() + self._settle_seconds)
                self._keep(session, intent)
                self._announce("checkout.session.completed", session)
        return session

    def _settle(self, session: dict[str, Any]) -> None:
        intent = self._intent_of(session)
        succeed(self._store, intent, self._now())
        session["payment_status"] = "paid"
        self._keep(session, intent)
        self._announce("checkout.session.async_payment_succeeded", session)

    def _bounce(self, session: dict[str, Any]) -> None:
        self._fail_payment(session, _BOUNCED)
        self._announce("checkout.session.async_payment_failed", session)

    def _fail_payment(self, session: dict[str, Any], words: str) -> None:
        intent = self._intent_of(session)
        intent |= {
            "status": "requires_payment_method",
            "last_payment_error": {"type": "card_error", "code": "card_declined", "message": words},
        }
        self._keep(session, intent)
        self._announce("payment_intent.payment_failed", intent)

    def _expire(self, session: dict[str, Any]) -> None:
        session |= {"status": "expired", "url": None}
        self._store.clear_timers(session["id"])
        self._store.keep(session)
        self._announce("checkout.session.expired", session)

    def _session(self, session_id: str) -> dict[str, Any]:
        session = self._store.object(session_id)
        if session is None or session["object"] != "checkout.session":
            raise ApiError(
                f"No such checkout.session: {session_id}",
                status=404,
                code="resource_missing",
                param="session",
            )
        return session

    def _open_session(self, session_id: str) -> dict[str, Any]:
        """A session that may be paid or is paid already; its time may have run out before its timer did."""
        session = self._session(session_id)
        if session["status"] != "complete" and not self.is_payable(session):
            raise NotOpen
        return session

    def _intent_of(self, session: dict[str, Any]) -> dict[str, Any]:
        """The session's payment, which like Stripe's begins with the first attempt."""
        intent = self._store.object(session["payment_intent"] or "")
        if intent is None:
            intent = new_intent(
                amount=session["amount_total"],
                currency=session["currency"],
                metadata=session[OURS]["payment_metadata"],
                session=session["id"],
                now=self._now(),
            )
            session["payment_intent"] = intent["id"]
        return intent

    def _keep(self, session: dict[str, Any], intent: dict[str, Any]) -> None:
        self._store.keep(session)
        self._store.keep(intent)

    def _note_customer(self, session: dict[str, Any]) -> None:
        """Remember who has paid, where that was asked for, so that they need not type it all again."""
        if session["customer"] is None and session[OURS]["keeps_customer"]:
            session["customer"] = new_id("cus")
            self._store.keep(
                {"id": session["customer"], "object": "customer", "email": session["customer_email"]}
            )

    def _announce(self, kind: str, about: dict[str, Any]) -> None:
        announce(self._store, kind, about, self._now())

    def _now(self) -> float:
        return self._clock().timestamp()


def _new_session(params: dict[str, Any], *, now: int, base_url: str) -> dict[str, Any]:
    _check_known(params)
    currency, amount, description = _line_item(params)
    session_id = new_id("cs_test")
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": amount,
        "amount_total": amount,
        "cancel_url": _url(params, "cancel_url") if "cancel_url" in params else None,
        "client_reference_id": params.get("client_reference_id"),
        "created": now,
        "currency": currency,
        "customer": params.get("customer"),
        "customer_email": params.get("customer_email"),
        "expires_at": _expires_at(params, now),
        "livemode": False,
        "metadata": params.get("metadata") or {},
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "status": "open",
        "success_url": _url(params, "success_url"),
        "ui_mode": "hosted_page",
        "url": f"{base_url}/checkout/{session_id}",
        OURS: {
            "description": description,
            "keeps_customer": params.get("customer_creation") == "always",
            "payment_metadata": (params.get("payment_intent_data") or {}).get("metadata") or {},
        },
    }


def _check_known(params: dict[str, Any]) -> None:
    if unknown := sorted(set(params) - _KNOWN):
        raise ApiError(
            f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0]
        )
    if params.get("mode") != "payment":
        raise ApiError("The simulation knows mode=payment alone.", param="mode")


def _line_item(params: dict[str, Any]) -> tuple[str, int, str]:
    """Currency, total in the smallest unit and description of the one line item."""
    try:
        [item] = params["line_items"]
        price = item["price_data"]
        currency, name = price["currency"], price["product_data"]["name"]
        amount = _whole(price["unit_amount"]) * _whole(item["quantity"])
    except (LookupError, TypeError, ValueError) as error:
        raise ApiError("Give one line item with price_data and quantity.", param="line_items") from error
    if currency != "usd":
        raise ApiError(f"Invalid currency: {currency}", param="line_items[0][price_data][currency]")
    if amount < _LEAST_CENTS:
        message = "The Checkout Session's total amount due must add up to at least $0.50 usd"
        raise ApiError(message, code="amount_too_small", param="line_items")
    if amount > _MOST_CENTS:
        message = "The Checkout Session's total amount due must be no more than $999,999.99"
        raise ApiError(message, code="amount_too_large", param="line_items")
    return currency, amount, name


def _expires_at(params: dict[str, Any], now: int) -> int:
    if "expires_at" not in params:
        return now + _USUAL_LIFE
    try:
        expires_at = _whole(params["expires_at"])
    except ValueError as error:
        raise ApiError("Invalid integer", code="parameter_invalid_integer", param="expires_at") from error
    if expires_at - now < _LEAST_LIFE:
        message = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        raise ApiError(message, param="expires_at")
    if expires_at - now > _MOST_LIFE:
        message = "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
        raise ApiError(message, param="expires_at")
    return expires_at


def _whole(text: Any) -> int:
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise ValueError(text)
    return int(text)


def _url(params: dict[str, Any], name: str) -> str:
    url = params.get(name)
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise ApiError("Not a valid URL", code="url_invalid", param=name)
    return str(url)
