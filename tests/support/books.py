"""A look at the ledger from tests."""

from __future__ import annotations

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
