"""Refunds: made at once, after a while, or failing after a while, as the next one is asked to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.objects import announce, expanded, found, listed, new_id, shown, whole
from advancia.providers.sandbox.payments import new_balance_transaction
from advancia.providers.sandbox.store import Store

_KNOWN = {"amount", "charge", "expand", "metadata", "payment_intent", "reason"}


class Refunds:
    """The rules. Each public method is one transaction."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime], settle_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._outcomes: deque[str] = deque()

    def will(self, *outcomes: str) -> None:
        """How the next refunds go: `succeeded`, `settle` (later) or `bounce` (fails later)."""
        self._outcomes.extend(outcomes)

    def create(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give back all that is left, or `amount`. Raises `ApiError` for what Stripe would refuse."""
        if unknown := sorted(set(params) - _KNOWN):
            raise ApiError(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown")
        with self._store.transaction():
            charge = self._charge(params)
            left = charge["amount"] - charge["amount_refunded"]
            amount = whole(params["amount"], "amount") if "amount" in params else left
            self._check(charge, amount, left)
            refund = self._made(charge, amount, params.get("metadata") or {})
        return expanded(self._store, refund, params.get("expand"))

    def of(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """The refunds of a payment or a charge, newest first."""
        by = "payment_intent" if "payment_intent" in params else "charge"
        things = self._store.objects("re_", by, params.get(by, ""))
        return listed(path, [expanded(self._store, each, ()) for each in things])

    def settle(self, refund_id: str) -> None:
        with self._store.transaction():
            refund = found(self._store, refund_id, "refund") | {"status": "succeeded"}
            self._store.keep(refund)
            self._announce(["refund.updated", "charge.refund.updated"], refund)

    def bounce(self, refund_id: str) -> None:
        """The bank did not take it: the money is ours again."""
        with self._store.transaction():
            refund = found(self._store, refund_id, "refund")
            back = new_balance_transaction(
                amount=refund["amount"], fee=0, currency=refund["currency"], kind="refund_failure",
                source=refund_id, now=self._now(),
            )  # fmt: skip
            refund |= {
                "status": "failed",
                "failure_reason": "lost_or_stolen_card",
                "failure_balance_transaction": back["id"],
            }
            charge = found(self._store, refund["charge"], "charge")
            charge |= {"amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False}
            for each in (back, refund, charge):
                self._store.keep(each)
            self._announce(["refund.failed", "refund.updated", "charge.refund.updated"], refund)

    def _made(self, charge: dict[str, Any], amount: int, metadata: dict[str, str]) -> dict[str, Any]:
        now = self._now()
        outcome = self._outcomes.popleft() if self._outcomes else "succeeded"
        refund_id = new_id("re")
        balance = new_balance_transaction(
            amount=-amount, fee=0, currency=charge["currency"], kind="refund", source=refund_id, now=now
        )
        refund = {
            "id": refund_id,
            "object": "refund",
            "amount": amount,
            "balance_transaction": balance["id"],
            "charge": charge["id"],
            "created": int(now),
            "currency": charge["currency"],
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "reason": None,
            "status": "succeeded" if outcome == "succeeded" else "pending",
        }
        refunded = charge["amount_refunded"] + amount
        charge |= {"amount_refunded": refunded, "refunded": refunded == charge["amount"]}
        for each in (balance, refund, charge):
            self._store.keep(each)
        if outcome != "succeeded":
            self._store.set_timer(refund_id, outcome, now + self._settle_seconds)
        announce(self._store, "charge.refunded", charge, now)
        self._announce(["refund.created"], refund)
        return refund

    def _check(self, charge: dict[str, Any], amount: int, left: int) -> None:
        if left == 0:
            raise ApiError(
                f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
            )
        if not 0 < amount <= left:
            raise ApiError(
                f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge "
                f"(${left / 100:.2f})",
                param="amount",
            )

    def _charge(self, params: dict[str, Any]) -> dict[str, Any]:
        charge_id = params.get("charge")
        if charge_id is None:
            intent = found(self._store, params.get("payment_intent"), "payment_intent")
            charge_id = intent["latest_charge"]
            if charge_id is None:
                raise ApiError("This PaymentIntent does not have a successful charge to refund.")
        return found(self._store, charge_id, "charge")

    def _announce(self, kinds: list[str], refund: dict[str, Any]) -> None:
        for kind in kinds:
            announce(self._store, kind, shown(refund), self._now())

    def _now(self) -> float:
        return self._clock().timestamp()
