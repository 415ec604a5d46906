"""The books of both providers against ours, over real HTTP: what agrees, and each way in which it may not."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core.db import db
from advancia.providers.cryptomus import SANDBOX, SANDBOX_MERCHANT, CryptoGateway
from advancia.providers.sandbox.server import SandboxServer
from advancia.providers.stripe import CardGateway
from tests.reconciliation.house import House
from tests.reconciliation.trade import Trade, look

SECRET = "whsec_for_tests"


@pytest.fixture
def trade(scratch_of, tmp_path):
    scratch = scratch_of()
    app = create_app(load_settings(scratch.environ))
    app.house = House(scratch)
    with (
        SandboxServer(
            var=tmp_path, webhook_url="http://127.0.0.1:9/", secret=SECRET, settle_seconds=86_400
        ) as server,
        app.app_context(),
    ):
        card = CardGateway(SECRET, name="sandbox", api_base=server.url, retries=0)
        crypto = CryptoGateway(
            merchant=SANDBOX_MERCHANT, payment_key=SECRET, name=SANDBOX, api_base=server.url
        )
        app.extensions["gateway"], app.extensions["crypto_gateway"] = card, crypto
        yield Trade(app, server, card, crypto)
        db.session.remove()
        db.engine.dispose()


def found(run):
    """What a run names, of the outside."""
    rows = db.session.execute(
        text(
            "select d.kind, d.check_name, d.their_ref, d.words from reconciliation_difference d "
            "join reconciliation_finding f on f.difference_id = d.id where f.run_id = :run_id order by d.id"
        ),
        {"run_id": run.id},
    )
    return [(each.kind, each.check_name, each.their_ref, each.words) for each in rows]


def test_a_day_of_trade_agrees(trade):
    payment = trade.pay()
    trade.refund(payment, "20.00")
    trade.refund(trade.pay(), "100.00", fails=True)
    for end in (None, "won", "lost"):
        trade.dispute(trade.pay("30.00"), ends=end)
    trade.pay_out("10.00")
    trade.pay_coins()
    trade.give_back(trade.pay_coins())
    trade.pay(outcome="decline")

    run = look(trade)

    assert found(run) == []
    assert (run.state, [*run.alarms]) == ("matched", [])
