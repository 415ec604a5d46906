"""Crypto payouts in Cryptomus's shape: accepted at once, paid or failed after a while."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from advancia.providers.cryptomus import NETWORKS, SANDBOX_MERCHANT
from advancia.providers.cryptomus_history import ZONE
from advancia.providers.sandbox.crypto_lists import page_of
from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.store import Store

KIND = "payout"
_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
_SHOWN = (
    "uuid", "order_id", "amount", "currency", "network", "address", "txid", "status", "is_final", "commission",
)  # fmt: skip
# The list tells no commission, as the provider's own does not.
_LISTED = ("uuid", "amount", "currency", "network", "address", "txid", "status", "is_final")


class Payouts:
    """The rules. Each public method is one transaction; each change of state sends a webhook."""

    def __init__(
        self,
        store: Store,
        *,
        sign: Callable[[dict[str, Any]], str],
        clock: Callable[[], datetime],
        settle_seconds: float,
    ) -> None:
        self._store = store
        self._sign = sign
        self._clock = clock
        self._settle_seconds = settle_seconds

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A new payout, or the one that the order has. Raises `ApiError` (422)."""
        order_id, code = str(asked.get("order_id") or ""), asked.get("currency")
        if not _ORDER_ID.fullmatch(order_id):
            raise ApiError("The order_id format is invalid.", status=422, param="order_id")
        if code not in NETWORKS or asked.get("network") != NETWORKS[code]:
            raise ApiError("The currency or network is not supported.", status=422, param="network")
        if not asked.get("address") or not _AMOUNT.fullmatch(str(asked.get("amount") or "")):
            raise ApiError("Give an amount above zero and an address.", status=422, param="address")
        with self._store.transaction():
            if earlier := self._store.objects("", "order_id", order_id, kind=KIND):
                return _shown(earlier[0])
            payout = self._new(asked, order_id)
            self._store.keep(payout)
            self._store.set_timer(payout["id"], "pay", self._now() + self._settle_seconds)
        return _shown(payout)

    def info(self, asked: dict[str, Any]) -> dict[str, Any]:
        """By uuid, or by order_id. Raises `ApiError` (404)."""
        for by in ("uuid", "order_id"):
            if asked.get(by) and (found := self._store.objects("", by, str(asked[by]), kind=KIND)):
                return _shown(found[0])
        raise ApiError("Payout was not found.", status=404)

    def history(self, asked: dict[str, Any], cursor: str | None) -> dict[str, Any]:
        """A page of the payouts that were made between two dates, newest first. Raises `ApiError` (422)."""
        page = page_of(self._store, asked, cursor, kind=KIND, shown=_listed)
        return {"merchant_uuid": SANDBOX_MERCHANT, **page}

    def become(self, payout_id: str, state: str, *, is_final: bool = True) -> dict[str, Any]:
        """Paid, failed, or failed for now: what is not final may still be paid."""
        with self._store.transaction():
            payout = self._store.object(payout_id)
            if payout is None:
                raise ApiError("Payout was not found.", status=404)
            payout |= {"status": state, "is_final": is_final, "changed": int(self._now())}
            if state == "paid":
                payout["txid"] = secrets.token_hex(32)
            self._store.clear_timers(payout_id)
            self._store.keep(payout)
            if payout["url_callback"]:
                body = {"type": "payout", **_shown(payout)}
                self._store.add_callback(
                    f"payout.{state}", self._sign(body), url=payout["url_callback"], made=self._now()
                )
        return _shown(payout)

    def _new(self, asked: dict[str, Any], order_id: str) -> dict[str, Any]:
        payout_id = str(uuid4())
        return {
            "id": payout_id,
            "kind": KIND,
            "created": int(self._now()),
            "uuid": payout_id,
            "order_id": order_id,
            "amount": asked["amount"],
            "currency": asked["currency"],
            "network": asked["network"],
            "address": asked["address"],
            "commission": "0.00000000",
            "txid": None,
            "status": "process",
            "is_final": False,
            "url_callback": asked.get("url_callback"),
        }

    def _now(self) -> float:
        return self._clock().timestamp()


def _shown(payout: dict[str, Any]) -> dict[str, Any]:
    return {name: payout[name] for name in _SHOWN}


def _listed(payout: dict[str, Any]) -> dict[str, Any]:
    made = payout["created"]
    dates = {"created_at": _moment(made), "updated_at": _moment(payout.get("changed", made))}
    return {name: payout[name] for name in _LISTED} | dates


def _moment(seconds: int) -> str:
    """Without a zone, which is the provider's way for payouts alone."""
    return datetime.fromtimestamp(seconds, ZONE).strftime("%Y-%m-%d %H:%M:%S")
