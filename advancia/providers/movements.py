"""What providers say of how our balance there has changed: the other side of our clearing accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

PAYMENT: Final = "payment"
REFUND: Final = "refund"
REFUND_FAILED: Final = "refund_failed"
DISPUTE: Final = "dispute"
DISPUTE_WON: Final = "dispute_won"
PAYOUT: Final = "payout"
PAYOUT_FAILED: Final = "payout_failed"
FEE: Final = "fee"
OTHER: Final = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of our balance at a provider, or a payment of which it says that nothing came.

    `id` is what the provider calls the change, `ref` the thing that it is about, as our rows know it. `amount` is
    signed, in the smallest unit of `code` and before the `fee` (None: not told); plus is what came to us. `state` is
    the provider's word for how that thing stands, `deposit` the deposit of ours that it says a payment is for.
    """

    id: str
    what: str
    ref: str
    code: str
    amount: int
    fee: int | None
    happened_at: datetime
    state: str | None = None
    deposit: UUID | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some movements, and the cursor with which the next are asked for; None after the last."""

    movements: Sequence[Movement] = field(default_factory=list)
    cursor: str | None = None
