"""A product with books of its own."""

from __future__ import annotations

import pytest

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core.context import Actor
from advancia.core.db import db
from tests.reconciliation.house import House, usd


@pytest.fixture(scope="module")
def product(scratch_of):
    """A product with books of its own, and staff of three."""
    scratch = scratch_of()
    app = create_app(load_settings(scratch.environ))
    house = House(scratch)
    house.pay_in(house.person(), usd("50.00"))
    staff = {"finance": house.staff, "admin": house.person(role="admin"), "owner": house.person(role="owner")}
    app.staff = [
        Actor(user_id=each, role=role, address=None, request_id=None) for role, each in staff.items()
    ]
    app.house = house
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(product):
    """The product with nothing found yet."""
    yield product
    with product.house.scratch.owner() as owner:
        owner.execute(
            "truncate reconciliation_run, reconciliation_difference, reconciliation_finding, alarm cascade"
        )
        owner.execute("delete from outbox")
