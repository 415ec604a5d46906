"""Payments that have succeeded: their charge, what the provider kept of it, and payments begun without a checkout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.lists import page_of
from advancia.providers.sandbox.objects import OURS, announce, expanded, found, new_id, whole
from advancia.providers.sandbox.store import Store

_FEE_PER_MILLE, _FEE_FIXED = 29, 30
# How long after a payment its money may be paid out.
_AVAILABLE_AFTER = 2 * 24 * 60 * 60
# As Stripe groups what changes a balance, where that differs from the type.
_CATEGORY = {"adjustment": "dispute", "payout_failure": "payout_reversal"}


def new_balance_transaction(
    *, amount: int, fee: int, currency: str, kind: str, source: str, now: float
) -> dict[str, Any]:
    """How our balance at the provider changed."""
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": int(now) + (_AVAILABLE_AFTER if kind == "charge" else 0),
        "created": int(now),
        "currency": currency,
        "fee": fee,
        "fee_details": [{"amount": fee, "currency": currency, "type": "stripe_fee"}] if fee else [],
        "net": amount - fee,
        "reporting_category": _CATEGORY.get(kind, kind),
        "source": source,
        "status": "pending",
        "type": kind,
    }


def new_intent(
    *, amount: int, currency: str, metadata: dict[str, str], session: str | None, now: float
) -> dict[str, Any]:
    return {
        "id": new_id("pi"),
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0,
        "created": int(now),
        "currency": currency,
        "customer": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "status": "requires_payment_method",
        OURS: {"session": session},
    }


def succeed(store: Store, intent: dict[str, Any], now: float) -> None:
    """The money has come: make the charge and its balance transaction; the caller keeps the intent."""
    charge_id, currency = new_id("ch"), intent["currency"]
    fee = intent["amount"] * _FEE_PER_MILLE // 1000 + _FEE_FIXED
    balance = new_balance_transaction(
        amount=intent["amount"], fee=fee, currency=currency, kind="charge", source=charge_id, now=now
    )
    charge = {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "balance_transaction": balance["id"],
        "captured": True,
        "created": int(now),
        "currency": currency,
        "disputed": False,
        "livemode": False,
        "metadata": intent["metadata"],
        "paid": True,
        "payment_intent": intent["id"],
        "refunded": False,
        "status": "succeeded",
    }
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "latest_charge": charge_id,
    }
    store.keep(balance)
    store.keep(charge)
    announce(store, "payment_intent.succeeded", intent, now)


class Payments:
    """Payment intents, charges and balance transactions as the API gives them."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def create(self, params: dict[str, Any]) -> dict[str, Any]:
        """A payment that has nothing to do with a checkout; with `confirm` it succeeds at once."""
        now = self._clock().timestamp()
        currency = params.get("currency")
        if currency not in ("usd", "eur"):
            raise ApiError(f"Invalid currency: {currency}", param="currency")
        with self._store.transaction():
            intent = new_intent(
                amount=whole(params.get("amount"), "amount"),
                currency=currency,
                metadata=params.get("metadata") or {},
                session=None,
                now=now,
            )
            if params.get("confirm") == "true":
                succeed(self._store, intent, now)
            self._store.keep(intent)
        return expanded(self._store, intent, params.get("expand"))

    def begun(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """A page of the payment intents that were made within `created`, newest first. Raises `ApiError`."""
        return page_of(self._store, path, params, prefix="pi_", kind="payment_intent")

    def retrieve(self, object_id: str, kind: str, params: dict[str, Any]) -> dict[str, Any]:
        """The payment_intent, charge, balance_transaction or customer of that id. Raises `ApiError` (404)."""
        return expanded(self._store, found(self._store, object_id, kind), params.get("expand"))
