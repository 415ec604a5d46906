"""The card side of the simulation, put together."""

from __future__ import annotations

from dataclasses import dataclass

from advancia.providers.sandbox.balance import Balance
from advancia.providers.sandbox.checkouts import Checkouts
from advancia.providers.sandbox.disputes import Disputes
from advancia.providers.sandbox.payments import Payments
from advancia.providers.sandbox.refunds import Refunds


@dataclass(frozen=True)
class Cards:
    """What happens to card payments, by the thing that it happens to."""

    checkouts: Checkouts
    payments: Payments
    refunds: Refunds
    disputes: Disputes
    balance: Balance

    def happen(self, object_id: str, what: str) -> None:
        """Let that happen to a checkout or a refund whose time has come."""
        if object_id.startswith("re_"):
            {"settle": self.refunds.settle, "bounce": self.refunds.bounce}[what](object_id)
        else:
            self.checkouts.happen(object_id, what)
