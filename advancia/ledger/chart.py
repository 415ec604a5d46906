"""The chart of accounts: what each account of the ledger is called outside it, in the tools of accountants.

Every name begins with one of the five words that they all know. The sign turns over on the way out: here plus is
a credit, there a debit is.
"""

from __future__ import annotations

import re
from functools import cache

from advancia.ledger.accounts import HOUSE

OPENING = "Equity:Opening:{asset}"

OF_CUSTOMERS = {
    "available": "Liabilities:Customers:{holder}:{asset}:Available",
    "held": "Liabilities:Customers:{holder}:{asset}:Held",
    "receivable": "Assets:Customers:{holder}:{asset}:Receivable",
}
OF_HOUSE = {
    "fees": "Income:Fees:{asset}",
    "treasury": "Equity:Treasury:{asset}",
    "promotions": "Expenses:Promotions:{asset}",
    "rounding": "Expenses:Rounding:{asset}",
    "suspense": "Liabilities:Suspense:{asset}",
    "equity": "Equity:Capital:{asset}",
}
CLEARING = "clearing."


def name_of(holder: int, asset: str, purpose: str) -> str:
    """The account's name, such as `Liabilities:Customers:42:USD:Available`; a new purpose has one as well."""
    return _pattern(holder == HOUSE, purpose).format(holder=holder, asset=asset)


def opening_of(asset: str) -> str:
    """The account that balances are carried forward from; it ends at zero, since all balances sum to zero."""
    return OPENING.format(asset=asset)


@cache
def _pattern(of_house: bool, purpose: str) -> str:
    words = _words(purpose)
    if not of_house:
        return OF_CUSTOMERS.get(purpose, f"Liabilities:Customers:{{holder}}:{{asset}}:{words}")
    if purpose.startswith(CLEARING):
        return f"Assets:{words}:{{asset}}"
    return OF_HOUSE.get(purpose, f"Equity:Other:{words}:{{asset}}")


def _words(purpose: str) -> str:
    """`clearing.new_bank` as `Clearing:New-bank`: what beancount takes, and hledger as well."""
    words = (re.sub(r"[^A-Za-z0-9]+", "-", word).strip("-") for word in purpose.split("."))
    return ":".join(word[:1].upper() + word[1:] for word in words)
