"""Crypto invoices in Cryptomus's shape: what the payer sends, and what network and provider make of it."""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from advancia.providers.cryptomus import NETWORKS
from advancia.providers.cryptomus_history import ZONE
from advancia.providers.sandbox.crypto_lists import page_of
from advancia.providers.sandbox.errors import ApiError, NotOpen
from advancia.providers.sandbox.store import Store

KIND = "invoice"
UNDERPAID = "wrong_amount_waiting"
OPEN = ("check", UNDERPAID)
_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_USUAL_LIFE = 3600
_FEE = Decimal("0.01")
_UNIT = Decimal("0.00000001")
# What the buttons of the page send, as shares of what was asked.
SHARES = {"exact": Decimal(1), "less": Decimal("0.4"), "more": Decimal("1.5")}
_REFUNDABLE = {"paid", "paid_over", "wrong_amount", "locked", "refund_fail"}
_FINAL = {"paid", "paid_over", "wrong_amount", "cancel", "fail", "system_fail", "refund_paid"}


class Invoices:
    """The rules. Each public method is one transaction; each change of state sends a webhook."""

    def __init__(
        self,
        store: Store,
        *,
        base_url: str,
        sign: Callable[[dict[str, Any]], str],
        clock: Callable[[], datetime],
        settle_seconds: float,
    ) -> None:
        self._store = store
        self._base_url = base_url
        self._sign = sign
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._outcomes: deque[str] = deque()

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A new invoice, or the one that the order has. Raises `ApiError` (422)."""
        with self._store.transaction():
            order_id = asked.get("order_id")
            if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
                raise ApiError("The order_id format is invalid.", status=422, param="order_id")
            if earlier := self._store.objects("", "order_id", order_id, kind=KIND):
                return earlier[0]
            invoice = self._new(asked, order_id)
            self._store.keep(invoice)
            self._store.set_timer(invoice["id"], "expire", invoice["expired_at"])
        return invoice

    def info(self, asked: dict[str, Any]) -> dict[str, Any]:
        """By uuid, or by order_id. Raises `ApiError` (404)."""
        if asked.get("uuid"):
            return self.of(str(asked["uuid"]))
        if found := self._store.objects("", "order_id", str(asked.get("order_id") or ""), kind=KIND):
            return found[0]
        raise ApiError("Payment was not found.", status=404)

    def of(self, invoice_id: str) -> dict[str, Any]:
        invoice = self._store.object(invoice_id)
        if invoice is None or invoice.get("kind") != KIND:
            raise ApiError("Payment was not found.", status=404)
        return invoice

    def resend(self, asked: dict[str, Any]) -> None:
        """Send the webhook of the invoice's present state once more."""
        with self._store.transaction():
            self._tell(self.info(asked))

    def will(self, *outcomes: str) -> None:
        """How the next refunds end after a while: `refund_paid`, or `refund_fail`."""
        self._outcomes.extend(outcomes)

    def refund(self, asked: dict[str, Any]) -> None:
        """Begin to give all of it back to an address. Raises `ApiError` (422)."""
        self._check_refund(asked)
        with self._store.transaction():
            try:
                invoice = self.info(asked)
            except ApiError as missing:
                raise ApiError(str(missing), status=422) from None
            if invoice["payment_status"] not in _REFUNDABLE:
                raise ApiError("The payment cannot be refunded in its present status.", status=422)
            outcome = self._outcomes.popleft() if self._outcomes else "refund_paid"
            self._store.clear_timers(invoice["id"])
            self._store.set_timer(invoice["id"], outcome, self._now() + self._settle_seconds)
            self._turn(invoice | {"refund_address": asked["address"]}, "refund_process")

    def test(self, asked: dict[str, Any]) -> None:
        """Send a webhook about nothing, as asked for."""
        body = {
            "type": "payment",
            "uuid": str(uuid4()),
            "order_id": asked.get("order_id"),
            "status": asked.get("status", "paid"),
            "currency": asked.get("currency"),
            "network": asked.get("network"),
            "is_final": True,
            "additional_data": None,
        }
        url = str(asked.get("url_callback") or "")
        self._store.add_callback("payment.test", self._sign(body), url=url, made=self._now())

    def history(self, asked: dict[str, Any], cursor: str | None) -> dict[str, Any]:
        """A page of the invoices that were opened between two dates, newest first. Raises `ApiError` (422)."""
        return page_of(self._store, asked, cursor, kind=KIND, shown=result)

    def send(
        self, invoice_id: str, amount: Decimal, *, network: str | None = None, code: str | None = None
    ) -> dict[str, Any]:
        """The payer sends so much: it is seen, and counts after a while. Raises `NotOpen`."""
        with self._store.transaction():
            invoice = self.of(invoice_id)
            if invoice["payment_status"] not in OPEN:
                raise NotOpen
            arrived = Decimal(invoice["payment_amount"]) + amount
            invoice |= {
                "payment_amount": _written(arrived),
                "network": network or invoice["network"],
                "payer_currency": code or invoice["payer_currency"],
                "txid": secrets.token_hex(32),
                "from": f"simulated-{secrets.token_hex(8)}",
            }
            self._store.clear_timers(invoice_id)
            self._store.set_timer(invoice_id, "confirm", self._now() + self._settle_seconds)
            return self._turn(invoice, "confirm_check")

    def happen(self, invoice_id: str, what: str) -> dict[str, Any]:
        """What a timer has been set for: `confirm`, `expire`, or the state that a refund ends in."""
        if what in ("confirm", "expire"):
            return self.confirm(invoice_id) if what == "confirm" else self.expire(invoice_id)
        return self.become(invoice_id, what)

    def confirm(self, invoice_id: str) -> dict[str, Any]:
        """The network has confirmed what was sent."""
        with self._store.transaction():
            invoice = self.of(invoice_id)
            asked, arrived = Decimal(invoice["amount"]), Decimal(invoice["payment_amount"])
            self._store.clear_timers(invoice_id)
            if arrived < asked and invoice["expired_at"] > self._now():
                self._store.set_timer(invoice_id, "expire", invoice["expired_at"])
                return self._turn(invoice, UNDERPAID)
            self._receive(invoice)
            state = "paid" if arrived == asked else "paid_over" if arrived > asked else "wrong_amount"
            return self._turn(invoice, state)

    def expire(self, invoice_id: str) -> dict[str, Any]:
        """The page closes: what came until then is all that comes."""
        with self._store.transaction():
            invoice = self.of(invoice_id)
            self._store.clear_timers(invoice_id)
            if invoice["payment_status"] not in OPEN:
                return invoice
            if not Decimal(invoice["payment_amount"]):
                return self._turn(invoice, "cancel")
            self._receive(invoice)
            return self._turn(invoice, "wrong_amount")

    def become(self, invoice_id: str, state: str) -> dict[str, Any]:
        """Put the invoice into a state that the provider alone decides on, such as `locked`."""
        with self._store.transaction():
            invoice = self.of(invoice_id)
            self._store.clear_timers(invoice_id)
            if state in ("paid", "paid_over"):
                self._receive(invoice)
            return self._turn(invoice, state)

    @staticmethod
    def _check_refund(asked: dict[str, Any]) -> None:
        for name in ("uuid", "order_id"):
            if not asked.get("uuid") and not asked.get("order_id"):
                raise ApiError("validation.required_without", status=422, param=name)
        if not isinstance(asked.get("address"), str) or not asked["address"]:
            raise ApiError("validation.required", status=422, param="address")
        if not isinstance(asked.get("is_subtract"), bool):
            raise ApiError("validation.boolean", status=422, param="is_subtract")

    def _new(self, asked: dict[str, Any], order_id: str) -> dict[str, Any]:
        code, amount = asked.get("currency"), _amount(asked.get("amount"))
        if code not in NETWORKS or asked.get("network") not in (None, *NETWORKS.values()):
            raise ApiError("The currency or network is not supported.", status=422, param="currency")
        life = int(str(asked.get("lifetime") or _USUAL_LIFE))
        if not 300 <= life <= 43_200:  # noqa: PLR2004 - as documented
            raise ApiError("The lifetime must be between 300 and 43200.", status=422, param="lifetime")
        invoice_id = str(uuid4())
        return {
            "id": invoice_id,
            "kind": KIND,
            "created": int(self._now()),
            "uuid": invoice_id,
            "order_id": order_id,
            "amount": _written(amount),
            "payment_amount": _written(Decimal()),
            "payer_amount": _written(amount),
            "merchant_amount": None,
            "commission": None,
            "currency": code,
            "payer_currency": code,
            "network": asked.get("network") or NETWORKS[code],
            "address": f"simulated-{code.lower()}-{secrets.token_hex(16)}",
            "from": None,
            "txid": None,
            "payment_status": "check",
            "url": f"{self._base_url}/pay/{invoice_id}",
            "expired_at": int(self._now()) + life,
            "is_final": False,
            "additional_data": asked.get("additional_data"),
            "url_return": asked.get("url_return"),
            "url_success": asked.get("url_success"),
            "url_callback": asked.get("url_callback"),
        }

    def _receive(self, invoice: dict[str, Any]) -> None:
        arrived = Decimal(invoice["payment_amount"])
        commission = (arrived * _FEE).quantize(_UNIT)
        invoice |= {"commission": _written(commission), "merchant_amount": _written(arrived - commission)}

    def _turn(self, invoice: dict[str, Any], state: str) -> dict[str, Any]:
        invoice |= {"payment_status": state, "is_final": state in _FINAL, "changed": int(self._now())}
        self._store.keep(invoice)
        self._tell(invoice)
        return invoice

    def _tell(self, invoice: dict[str, Any]) -> None:
        if not invoice["url_callback"]:
            return
        names = (
            "uuid", "order_id", "amount", "payment_amount", "merchant_amount", "commission", "is_final", "from",
            "network", "currency", "payer_currency", "additional_data", "txid",
        )  # fmt: skip
        body = {"type": "payment", "status": invoice["payment_status"]} | {
            name: invoice[name] for name in names
        }
        self._store.add_callback(
            f"{body['type']}.{body['status']}",
            self._sign(body),
            url=invoice["url_callback"],
            made=self._now(),
        )

    def _now(self) -> float:
        return self._clock().timestamp()


def result(invoice: dict[str, Any]) -> dict[str, Any]:
    """The invoice as the API shows it."""
    shown = {
        name: value for name, value in invoice.items() if name not in ("id", "kind", "created", "changed")
    }
    opened = invoice.get("created")
    if opened is None:  # of an older simulation
        return shown
    return shown | {"created_at": _moment(opened), "updated_at": _moment(invoice.get("changed", opened))}


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, ZONE).isoformat()


def _written(amount: Decimal) -> str:
    return format(amount, "f")


def _amount(told: Any) -> Decimal:
    try:
        amount = Decimal(told) if isinstance(told, str) else Decimal()
    except InvalidOperation:
        amount = Decimal()
    if not amount.is_finite() or amount <= 0:
        raise ApiError("The amount must be a number above zero.", status=422, param="amount")
    return amount
