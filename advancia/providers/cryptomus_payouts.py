"""Cryptomus's payouts, read as movements: what has left, may still leave, or has come to nothing.

They have a key of their own. Neither the list nor a single answer tells a commission, or from which coin the amount
was taken; only a payout's webhook does. So a payout counts with its amount in its currency, and its fee as not told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from advancia.core.money import ASSETS
from advancia.providers import movements
from advancia.providers.cryptomus_amounts import decimal_from, minor_units
from advancia.providers.cryptomus_calls import UNREADABLE, SignedCalls
from advancia.providers.cryptomus_history import UNKNOWN_DECIMALS, listed_between, moment_from
from advancia.providers.movements import Movement, Page

UNPAID = ("fail", "cancel", "system_fail")
NOT_FINAL = "_not_final"
# A single answer may have no date. Then it is of before any window, and ours is the one that counts.
UNDATED = datetime.fromtimestamp(0, UTC)


class CryptoPayouts(SignedCalls):
    """What was paid out at Cryptomus, under the key for payouts. It is only ever read."""

    def movements(self, *, since: datetime, until: datetime, cursor: str | None = None) -> Page:
        """A page of the payouts that were made from `since` to `until` (both included), as they stand now.

        Nothing of a page is left out: one that cannot be read is `ProviderUnavailable` as a whole.
        """
        told = self._call("/v1/payout/list", listed_between(since, until), cursor=cursor)
        try:
            moved = [movement_from(each) for each in told["items"]]
            return Page(moved, told["paginate"]["nextCursor"] or None)
        except UNREADABLE as error:
            raise self._unavailable(f"Unexpected answer: {error!r}") from error

    def movement_of(self, payout_id: str) -> Movement:
        """One payout, whenever it was. Raises `ProviderRefused` for one that is not known there."""
        told = self._call("/v1/payout/info", {"uuid": payout_id})
        try:
            return movement_from({"created_at": UNDATED.isoformat(), **told})
        except UNREADABLE as error:
            raise self._unavailable(f"Unexpected answer: {error!r}") from error


def movement_from(told: dict[str, Any]) -> Movement:
    """What has left by this payout, as far as anybody can tell. Raises as `cryptomus_calls.UNREADABLE`.

    One that failed for good has come to nothing. One that failed and is not final may be sent again by the provider's
    people, so it is not taken for given back; nor is one whose transaction is on the network, whatever it is called.
    """
    code, amount, status = str(told["currency"]), decimal_from(told["amount"]), str(told["status"])
    if amount is None:
        raise ValueError(f"Payout {told['uuid']} has no amount.")
    decimals = ASSETS[code].decimals if code in ASSETS else UNKNOWN_DECIMALS
    commission = decimal_from(told.get("commission"))
    is_nothing = status in UNPAID and told.get("is_final") is True and not told.get("txid")
    fee = None if commission is None else minor_units(commission, decimals)
    return Movement(
        id=str(told["uuid"]),
        what=movements.PAYOUT,
        ref=str(told["uuid"]),
        code=code,
        amount=0 if is_nothing else -minor_units(amount, decimals),
        fee=0 if is_nothing else fee,
        happened_at=moment_from(str(told.get("updated_at") or told["created_at"])),
        state=_state(status, told),
    )


def _state(status: str, told: dict[str, Any]) -> str:
    may_be_sent = status in UNPAID and told.get("is_final") is not True and not told.get("txid")
    return status + NOT_FINAL if may_be_sent else status
