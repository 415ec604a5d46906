"""Our balance at the simulated card provider: what changed it, as pages, and how much there is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from advancia.providers.sandbox.lists import page_of
from advancia.providers.sandbox.objects import expanded, listed
from advancia.providers.sandbox.store import Store

_PREFIX = "txn_"


class Balance:
    """Balance transactions, newest first, and their sums, as the API gives them."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def history(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """A page of what changed the balance, or all that one `source` has changed. Raises `ApiError`."""
        if "source" not in params:
            return page_of(
                self._store, path, params, prefix=_PREFIX, kind="balance_transaction", touch=self._dated
            )
        inner = [name.removeprefix("data.") for name in params.get("expand") or ()]
        things = self._store.objects(_PREFIX, "source", params["source"])
        return listed(path, [expanded(self._store, self._dated(each), inner) for each in things])

    def tell(self) -> dict[str, Any]:
        """What lies there by currency: available by now, and pending."""
        sums = self._store.balances(_PREFIX, int(self._clock().timestamp()))
        return {
            "object": "balance",
            "livemode": False,
            "available": [{"currency": code, "amount": ready} for code, ready, _later in sums],
            "pending": [{"currency": code, "amount": later} for code, _ready, later in sums],
        }

    def _dated(self, moved: dict[str, Any]) -> dict[str, Any]:
        is_ready = moved.get("available_on", 0) <= self._clock().timestamp()
        return moved | {"status": "available" if is_ready else "pending"}
