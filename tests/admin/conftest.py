"""What the tests of the staff pages share."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from flask import Flask

from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.wallet.transfers import services as transfers
from tests.support.payments import pass_on
from tests.support.people import Customer


@pytest.fixture
def sent(app: Flask) -> Callable[..., str]:
    """Send money and return its reference: `sent(amara, bilal, "30.00", note="Rent")`."""

    def send(sender: Customer, recipient: Customer, amount: str, code: str = "USD", note: str = "") -> str:
        actor = Actor(user_id=sender.id, role="customer", address="10.1.2.3", request_id="test-request-1")
        with app.app_context(), unit_of_work() as session:
            transfer_id = transfers.send(
                session,
                actor=actor,
                recipient=recipient.email,
                amount=Money.of(amount, code),
                note=note,
                request_id=uuid4(),
            )
        return f"transfer:{transfer_id}"

    return send


@pytest.fixture
def txn_id_of(app: Flask) -> Callable[[str], int]:
    """The id of the transaction under a reference."""
    from advancia import ledger

    def find(reference: str) -> int:
        with app.app_context():
            transaction = ledger.transaction(db.session(), reference)
        assert transaction is not None
        return transaction.id

    return find


@pytest.fixture
def happen(sandbox, page, work_through) -> Callable[..., None]:
    """Let something happen at the provider, and let us hear of it."""

    def act(url, *outcomes):
        for outcome in outcomes:
            seen = len(sandbox.deliveries())
            httpx.post(url, data={"outcome": outcome}, trust_env=False)
            for event in sandbox.deliveries()[seen:]:
                pass_on(page, event)
        work_through()

    return act
