"""Disputes, which a customer opens at their bank, and payouts, with which our balance at the provider goes to ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from advancia.providers.sandbox.objects import announce, expanded, found, listed, new_id
from advancia.providers.sandbox.payments import new_balance_transaction
from advancia.providers.sandbox.store import Store

DISPUTE_FEE = 15_00
_DAYS_TO_ANSWER = 7 * 24 * 60 * 60


class Disputes:
    """The rules. Each public method is one transaction."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def open(
        self, payment_intent: str, *, amount: int | None = None, inquiry: bool = False
    ) -> dict[str, Any]:
        """The bank takes the payment back, or `amount` of it; with `inquiry` it only asks, so far."""
        now = self._now()
        with self._store.transaction():
            intent = found(self._store, payment_intent, "payment_intent")
            charge = found(self._store, intent["latest_charge"], "charge")
            dispute = self._new(charge, charge["amount"] if amount is None else amount, now)
            charge["disputed"] = True
            if inquiry:
                dispute["status"] = "warning_needs_response"
            else:
                self._withdraw(dispute, now)
            self._store.keep(charge)
            self._store.keep(dispute)
            announce(self._store, "charge.dispute.created", dispute, now)
            if not inquiry:
                announce(self._store, "charge.dispute.funds_withdrawn", dispute, now)
        return dispute

    def close(self, dispute_id: str, *, won: bool) -> dict[str, Any]:
        """The bank has decided; a second decision changes nothing."""
        now = self._now()
        with self._store.transaction():
            dispute = found(self._store, dispute_id, "dispute")
            if dispute["status"] in ("won", "lost", "warning_closed"):
                return dispute
            if dispute["status"].startswith("warning"):
                dispute["status"] = "warning_closed"
            else:
                dispute["status"] = "won" if won else "lost"
                if won:
                    dispute["balance_transactions"].append(self._moved(dispute, dispute["amount"], 0, now))
            self._store.keep(dispute)
            announce(self._store, "charge.dispute.closed", dispute, now)
            if dispute["status"] == "won":
                announce(self._store, "charge.dispute.funds_reinstated", dispute, now)
        return dispute

    def of(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """The disputes of a payment or a charge."""
        by = "payment_intent" if "payment_intent" in params else "charge"
        things = self._store.objects("du_", by, params.get(by, ""))
        return listed(path, [expanded(self._store, each, ()) for each in things])

    def pay_out(self, amount: int, *, fails: bool = False) -> dict[str, Any]:
        """Send our balance to the bank. A payout may be called paid, and still come back days later."""
        now = self._now()
        with self._store.transaction():
            payout = {
                "id": new_id("po"),
                "object": "payout",
                "amount": amount,
                "arrival_date": int(now),
                "created": int(now),
                "currency": "usd",
                "failure_message": None,
                "livemode": False,
                "status": "paid",
            }
            self._store.keep(self._sent(payout, -amount, "payout", now))
            self._store.keep(payout)
            announce(self._store, "payout.paid", payout, now)
            if fails:
                payout |= {"status": "failed", "failure_message": "The bank account has been closed."}
                self._store.keep(self._sent(payout, amount, "payout_failure", now))
                self._store.keep(payout)
                announce(self._store, "payout.failed", payout, now)
        return payout

    def _new(self, charge: dict[str, Any], amount: int, now: float) -> dict[str, Any]:
        return {
            "id": new_id("du"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": int(now),
            "currency": charge["currency"],
            "evidence_details": {"due_by": int(now) + _DAYS_TO_ANSWER, "has_evidence": False},
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": "fraudulent",
            "status": "needs_response",
        }

    def _withdraw(self, dispute: dict[str, Any], now: float) -> None:
        dispute["balance_transactions"].append(self._moved(dispute, -dispute["amount"], DISPUTE_FEE, now))

    def _moved(self, dispute: dict[str, Any], amount: int, fee: int, now: float) -> dict[str, Any]:
        moved = new_balance_transaction(
            amount=amount,
            fee=fee,
            currency=dispute["currency"],
            kind="adjustment",
            source=dispute["id"],
            now=now,
        )
        self._store.keep(moved)
        return moved

    def _sent(self, payout: dict[str, Any], amount: int, kind: str, now: float) -> dict[str, Any]:
        return new_balance_transaction(
            amount=amount, fee=0, currency=payout["currency"], kind=kind, source=payout["id"], now=now
        )

    def _now(self) -> float:
        return self._clock().timestamp()
