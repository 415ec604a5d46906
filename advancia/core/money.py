"""Money: whole minor units of an asset; `Decimal` only where people read or type it.

No float ever touches an amount. What people type is read strictly: digits, one point, at most one grouping
of thousands by commas, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from functools import total_ordering

from advancia.core.errors import DomainError

MINUS = "\u2212"  # the real minus sign, not the hyphen
# The ledger stores numeric(38, 0); an amount that people type stays far below it, so that sums fit as well.
MAX_MINOR = 10**30
_EXACT = Context(prec=60, rounding=ROUND_DOWN)
# ASCII digits only: `\d` would accept those of every alphabet.
_TYPED = re.compile(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]+))?")
MAX_TYPED = 60


class InvalidAmount(DomainError):
    """What was typed is not an amount of this asset; the text gives an example of one."""


class AssetMismatch(TypeError):
    """Two amounts of different assets were put together: a mistake in our code, never the customer's."""


@dataclass(frozen=True)
class Asset:
    """Something that can be held. `decimals` is how many digits its smallest unit stands behind the point."""

    code: str
    name: str
    decimals: int
    example: str

    def __str__(self) -> str:
        return self.code


# The one table of assets; the ledger's own table is held against it by a test.
ASSETS: dict[str, Asset] = {
    each.code: each
    for each in (
        Asset("USD", "US dollar", 2, "12.50"),
        Asset("BTC", "Bitcoin", 8, "0.00150000"),
        Asset("ETH", "Ether", 18, "0.025"),
        Asset("USDT", "Tether", 6, "12.50"),
        Asset("ADV", "Advancia token", 2, "12.50"),
    )
}


def asset(code: str) -> Asset:
    """The asset of that code. Raises `KeyError` for one that we do not keep."""
    return ASSETS[code]


@total_ordering
@dataclass(frozen=True)
class Money:
    """An amount: `minor` counts the asset's smallest unit and may be negative (a debit)."""

    minor: int
    asset: Asset

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"An amount is a whole number of minor units, not {self.minor!r}.")

    @classmethod
    def zero(cls, asset: Asset) -> Money:
        return cls(0, asset)

    @classmethod
    def of(cls, decimal: str | Decimal, code: str) -> Money:
        """An amount that we write ourselves, such as a limit. Raises `ValueError` if it is not exact."""
        of_asset = asset(code)
        scaled = Decimal(decimal).scaleb(of_asset.decimals, _EXACT)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{decimal} {code} has more than {of_asset.decimals} decimals.")
        return cls(int(scaled), of_asset)

    @classmethod
    def parse(cls, text: str, asset: Asset) -> Money:
        """Read what a person typed, in the asset's own unit.

        Raises `InvalidAmount` for anything but a positive amount: signs, exponents, words, other alphabets'
        digits, too many decimals, absurd sizes.
        """
        typed = text.strip() if len(text) <= MAX_TYPED else ""
        match = _TYPED.fullmatch(typed)
        if match is None:
            raise InvalidAmount(f"Enter an amount like {asset.example}")
        if len(match.group(1) or "") > asset.decimals:
            raise InvalidAmount(
                f"Enter an amount like {asset.example}, with at most {asset.decimals} digits after the point"
            )
        minor = int(Decimal(typed.replace(",", "")).scaleb(asset.decimals, _EXACT))
        if minor == 0:
            raise InvalidAmount("Enter an amount above zero")
        if minor > MAX_MINOR:
            raise InvalidAmount("That is more than we can move at once")
        return cls(minor, asset)

    @property
    def decimal(self) -> Decimal:
        """The amount in the asset's own unit, exactly, with all of its decimals."""
        return Decimal(self.minor).scaleb(-self.asset.decimals, _EXACT)

    @property
    def is_negative(self) -> bool:
        return self.minor < 0

    def figure(self, *, signed: bool = False, trim: bool = False, grouped: bool = True) -> str:
        """The number alone, for people: `1,234.50`; `signed` puts a plus or a real minus before it."""
        # Formatting is done on the digits: `format(Decimal)` would round to the context's precision.
        digits = str(abs(self.minor)).rjust(self.asset.decimals + 1, "0")
        whole, fraction = digits[: -self.asset.decimals], digits[-self.asset.decimals :]
        if trim:
            fraction = fraction.rstrip("0")
        number = (f"{int(whole):,}" if grouped else whole) + (f".{fraction}" if fraction else "")
        if signed:
            return f"{MINUS if self.is_negative else '+'} {number}"
        return f"{MINUS if self.is_negative else ''}{number}"

    @property
    def plain(self) -> str:
        """The number as a form field holds it: a point, no grouping, no sign; `parse` reads it back."""
        return self.figure(grouped=False)

    def __str__(self) -> str:
        return f"{self.figure()} {self.asset.code}"

    def __bool__(self) -> bool:
        return self.minor != 0

    def __neg__(self) -> Money:
        return Money(-self.minor, self.asset)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.asset)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.asset)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.asset)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def _same(self, other: Money) -> int:
        if other.asset != self.asset:
            raise AssetMismatch(f"{self.asset.code} and {other.asset.code} cannot be put together.")
        return other.minor
