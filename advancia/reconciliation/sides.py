"""The providers whose books are compared with ours."""

from __future__ import annotations

from flask import Flask

from advancia.reconciliation.asking import Cards, Coins
from advancia.reconciliation.found import Outside
from advancia.reconciliation.outside import Books


def sides_of(app: Flask) -> list[Outside]:
    """One for each provider that is set up."""
    cards, coins = app.extensions["gateway"], app.extensions["crypto_gateway"]
    sides: list[Outside] = []
    if cards is not None:
        sides.append(Books(Cards(cards)))
    if coins is not None:
        sides.append(Books(Coins(coins)))
    return sides
