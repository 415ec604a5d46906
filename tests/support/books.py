"""A look at the ledger from tests."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from advancia import ledger
from advancia.core.db import db
from advancia.core.money import Money, asset
from advancia.ledger import check
from tests.support.people import Customer


class Books:
    def __init__(self, app: Flask) -> None:
        self.app = app

    def available(self, customer: Customer, code: str = "USD") -> Money:
        with self.app.app_context():
            return ledger.balance(db.session(), ledger.available(customer.id), asset(code))

    def entry_count(self, customer: Customer) -> int:
        """How many entries the customer's accounts have: moves by one with every posting that touches one."""
        with self.app.app_context():
            return ledger.version_of(db.session(), customer.id)

    def prove(self) -> None:
        """Recompute everything; fails with the rows at fault."""
        with self.app.app_context():
            report = check.run(db.session())
        assert report.is_right, report.differences
        assert report.entries > 0


def besides_fees(changes: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """How accounts of the house have changed, but for what the providers keep for themselves.

    That goes from `clearing` to `fees`, so it is put back to where it was taken.
    """
    left = dict(changes)
    for code, clearing in (("USD", "clearing.sandbox"), ("BTC", "clearing.sandbox_crypto")):
        left[clearing, code] = left.get((clearing, code), 0) + left.pop(("fees", code), 0)
    return {key: change for key, change in left.items() if change}
