"""A product with books of its own."""

from __future__ import annotations

import pytest

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core.context import Actor
from advancia.core.db import db
from advancia.providers.cryptomus import SANDBOX, SANDBOX_MERCHANT, CryptoGateway, sandbox_payout_key
from advancia.providers.sandbox.server import SandboxServer
from advancia.providers.stripe import CardGateway
from tests.reconciliation.house import House, usd
from tests.reconciliation.trade import FORGET, SECRET, Clock, Trade


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


@pytest.fixture(scope="module")
def shop(scratch_of):
    """A product that has customers, and has traded nothing."""
    scratch = scratch_of()
    app = create_app(load_settings(scratch.environ))
    app.house = House(scratch)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def trade(shop, tmp_path):
    clock = Clock()
    with (
        SandboxServer(
            var=tmp_path, webhook_url="http://127.0.0.1:9/", secret=SECRET, settle_seconds=86_400, clock=clock
        ) as server,
        shop.app_context(),
    ):
        card = CardGateway(SECRET, name="sandbox", api_base=server.url, retries=0)
        crypto = CryptoGateway(
            merchant=SANDBOX_MERCHANT, payment_key=SECRET, payout_key=sandbox_payout_key(SECRET), name=SANDBOX,
            api_base=server.url,
        )  # fmt: skip
        yield Trade(shop, server, card, crypto, clock)
        db.session.remove()
    with shop.house.scratch.owner() as owner:
        owner.execute(FORGET)
