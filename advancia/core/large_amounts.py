"""From when on an amount is large: it takes a fresh proof of who sends it, or a second person of staff."""

from __future__ import annotations

from advancia.core.money import Money

# There are no rates yet by which amounts of other assets could be told in dollars, so each has a figure of its own: of
# about a thousand dollars for what is worth a dollar or is pegged to one, and on the careful side for what moves.
LARGEST_WITHOUT = {
    each.asset.code: each
    for each in (
        Money.of("1000.00", "USD"),
        Money.of("1000.000000", "USDT"),
        Money.of("10000.00", "ADV"),
        Money.of("0.01000000", "BTC"),
        Money.of("0.25", "ETH"),
    )
}


def is_large(amount: Money) -> bool:
    """Whether it is more than may be moved without either."""
    return amount > LARGEST_WITHOUT[amount.asset.code]
