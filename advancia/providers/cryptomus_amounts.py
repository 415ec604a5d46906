"""Amounts as Cryptomus writes them, as texts or as numbers, and what they are in smallest units."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from typing import Any

_MOST_DIGITS = 30
_EXACT = Context(prec=60, rounding=ROUND_DOWN)


def decimal_from(told: Any) -> Decimal | None:
    """None for what is not told. Raises `ValueError` for what is no amount."""
    if told in (None, ""):
        return None
    try:
        amount = Decimal(str(told))
    except InvalidOperation as error:
        raise ValueError(told) from error
    if not amount.is_finite() or amount.adjusted() > _MOST_DIGITS:
        raise ValueError(told)
    return amount


def minor_units(amount: Decimal, decimals: int) -> int:
    """Whole minor units, rounded down: a fraction of one cannot be booked."""
    return int(amount.scaleb(decimals, _EXACT))
