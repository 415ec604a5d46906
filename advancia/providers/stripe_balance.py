"""Stripe's balance transactions, read as movements: one for each change of our balance there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from advancia.providers import movements
from advancia.providers.movements import Movement, Page
from advancia.providers.stripe_events import deposit_id_in

Told = Mapping[str, Any]

# Cards are `charge` and `refund`, all other ways to pay `payment` and `payment_refund`.
WHAT = {
    "charge": movements.PAYMENT,
    "payment": movements.PAYMENT,
    "refund": movements.REFUND,
    "payment_refund": movements.REFUND,
    "refund_failure": movements.REFUND_FAILED,
    "payment_failure_refund": movements.REFUND_FAILED,
    "payout": movements.PAYOUT,
    "payout_failure": movements.PAYOUT_FAILED,
    "payout_cancel": movements.PAYOUT_FAILED,
    "stripe_fee": movements.FEE,
    "stripe_fx_fee": movements.FEE,
    "tax_fee": movements.FEE,
    "payment_network_fee": movements.FEE,
}
DISPUTE = "adjustment"  # with a dispute as its source; there are others


def page_from(told: Told) -> Page:
    """A page of the list. Raises `LookupError`, `TypeError`, `ValueError` or `AttributeError` if it is not one."""
    moved = [movement_from(each) for each in told["data"]]
    return Page(moved, moved[-1].id if told["has_more"] else None)


def movement_from(told: Told) -> Movement:
    """Raises as `page_from`: what cannot be read must not be left out of the comparison."""
    source = told["source"] if isinstance(told["source"], Mapping) else {}
    what = _what(told, source)
    return Movement(
        id=told["id"],
        what=what,
        ref=_ref(told, source, what),
        code=str(told["currency"]).upper(),
        amount=int(told["amount"]),
        fee=int(told["fee"]),
        happened_at=datetime.fromtimestamp(told["created"], UTC),
        state=source.get("status"),
        deposit=deposit_id_in(source.get("metadata")) if what == movements.PAYMENT else None,
    )


def balance_from(told: Told) -> dict[str, int]:
    """What lies there by currency, be it available or pending, in smallest units."""
    sums: Counter[str] = Counter()
    for each in (*told["available"], *told["pending"]):
        sums[str(each["currency"]).upper()] += int(each["amount"])
    return dict(sums)


def _what(told: Told, source: Told) -> str:
    if told["type"] == DISPUTE and source.get("object") == "dispute":
        return movements.DISPUTE if told["amount"] < 0 else movements.DISPUTE_WON
    return WHAT.get(told["type"], movements.OTHER)


def _ref(told: Told, source: Told, what: str) -> str:
    """The name that our rows know the thing by: payments by their intent, all else by the thing's own id."""
    if what == movements.PAYMENT:
        return str(source.get("payment_intent") or source["id"])
    if what in (movements.FEE, movements.OTHER):
        return str(told["id"])
    return str(source["id"])
