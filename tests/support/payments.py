"""The simulated provider within reach of a test, and events as it would send them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import stripe
from flask import Flask
from sqlalchemy import text

from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.payments import services
from advancia.providers import authorities
from advancia.providers.cryptomus import SANDBOX, SANDBOX_MERCHANT, CryptoGateway, Invoice
from advancia.providers.sandbox.server import SandboxServer
from advancia.providers.sandbox.store import Delivery
from advancia.providers.stripe import CardGateway, Checkout
from tests.support import php
from tests.support.pages import Answer, InProcess, Page
from tests.support.people import Customer

SECRET = "whsec_sandbox_for_tests"


@pytest.fixture
def sandbox(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The provider over real HTTP. Its own events go nowhere: the test sends those that it wants to see."""
    with SandboxServer(
        var=tmp_path,
        webhook_url="http://127.0.0.1:9/webhooks/stripe",
        secret=SECRET,
        settle_seconds=86_400,  # nothing happens by itself: the test lets it happen
    ) as server:
        gateway = CardGateway(SECRET, name="sandbox", api_base=server.url, retries=0, timeouts=(1.0, 1.0))
        crypto = CryptoGateway(
            merchant=SANDBOX_MERCHANT,
            payment_key=SECRET,
            name=SANDBOX,
            api_base=server.url,
            timeouts=(1.0, 1.0),
        )
        monkeypatch.setitem(app.extensions, "gateway", gateway)
        monkeypatch.setitem(app.extensions, "crypto_gateway", crypto)
        yield server
    with app.app_context(), unit_of_work() as session:  # work that is left would ask a provider that is gone
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))


def choose(checkout_url: str, outcome: str) -> None:
    """What the customer presses on the provider's page: pay, decline, cancel or later."""
    answer = httpx.post(checkout_url, data={"outcome": outcome}, verify=authorities.known())
    assert answer.status_code < 400, answer.text


def event(kind: str, checkout_id: str, event_id: str | None = None) -> bytes:
    """An event about a checkout; what it says of the checkout does not matter, for we ask again."""
    return json.dumps(
        {
            "id": event_id or f"evt_{uuid4().hex}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": {"object": {"id": checkout_id, "object": "checkout.session"}},
        }
    ).encode()


def signature(body: bytes, *, secret: str = SECRET, age: int = 0) -> str:
    """The header, made by Stripe's own library."""
    header: Any = stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=int(time.time()) - age
    )
    return str(header)


def knock(page: Page, body: bytes, header: str) -> Answer:
    return page.transport.send(
        "POST", "/webhooks/stripe", body, {"Stripe-Signature": header, "Content-Type": "application/json"}
    )


@pytest.fixture
def tell(page: Page) -> Callable[[str, str], Answer]:
    """Send a signed event: `tell("checkout.session.completed", checkout_id)`."""

    def send(kind: str, checkout_id: str) -> Answer:
        body = event(kind, checkout_id)
        return knock(page, body, signature(body))

    return send


def crypto_event(
    invoice_id: str, status: str, *, txid: str | None = None, key: str = SECRET, **more: Any
) -> bytes:
    """A webhook of the crypto provider, signed as PHP does; what it says does not matter, for we ask again."""
    body = {
        "type": "payment", "uuid": invoice_id, "order_id": "https://so/what", "status": status, "txid": txid,
        "is_final": True, "additional_data": None, **more,
    }  # fmt: skip
    return php.json_encode(php.signed(body, key)).encode()


def knock_crypto(page: Page, body: bytes, address: str = "127.0.0.1") -> Answer:
    """From the address that the simulation has."""
    assert isinstance(page.transport, InProcess)
    raw = page.transport.client.post(
        "/webhooks/cryptomus",
        data=body,
        headers={"Content-Type": "application/json"},
        environ_overrides={"REMOTE_ADDR": address},
    )
    return Answer(raw.status_code, raw.headers, raw.get_data(as_text=True))


def pass_on(page: Page, delivery: Delivery) -> Answer:
    """Bring the product an event that the simulation has made, as it would."""
    body = delivery.body.encode()
    return knock(page, body, signature(body)) if delivery.url is None else knock_crypto(page, body)


@dataclass(frozen=True)
class Begun:
    """A deposit whose payment page stands open."""

    id: UUID
    checkout_id: str
    url: str


@pytest.fixture
def begun(app: Flask, sandbox: SandboxServer) -> Callable[..., Begun]:
    """Begin a deposit without the pages: `begun(amara, "100.00")`, or `begun(amara, "0.01", "BTC")`."""

    def begin(customer: Customer, amount: str = "100.00", code: str = "USD") -> Begun:
        name = "gateway" if code == "USD" else "crypto_gateway"
        gateway, money = app.extensions[name], Money.of(amount, code)
        actor = Actor(customer.id, "customer", None, None)
        with app.app_context(), unit_of_work() as session:
            deposit_id = services.request_deposit(
                session, actor=actor, amount=money, provider=gateway.name, request_id=uuid4()
            )
        page = _page_for(gateway, deposit_id, money)
        with app.app_context(), unit_of_work() as session:
            services.record_checkout(session, deposit_id=deposit_id, checkout_id=page.id, url=page.url)
        return Begun(deposit_id, page.id, page.url or "")

    return begin


def _page_for(gateway: Any, deposit_id: UUID, money: Money) -> Checkout | Invoice:
    if isinstance(gateway, CryptoGateway):
        return gateway.create_invoice(
            deposit_id=deposit_id,
            amount=money,
            return_url="http://shop.example/",
            callback_url="http://127.0.0.1:9/webhooks/cryptomus",
            lifetime=timedelta(hours=2),
        )
    checkout: Checkout = gateway.create_checkout(
        deposit_id=deposit_id,
        amount=money,
        customer_email="somebody@test.example",
        success_url="http://shop.example/",
        cancel_url="http://shop.example/",
        expires_at=utcnow() + timedelta(hours=2),
    )
    return checkout


@pytest.fixture
def work_through(app: Flask) -> Callable[[], None]:
    """Do all background work, also what waits for another try, until nothing is left of what came in this test."""
    from tests.support.work import work_off

    with app.app_context():
        last = db.session.scalar(text("SELECT coalesce(max(id), 0) FROM outbox"))

    def work() -> None:
        for _ in range(10):
            work_off(app)
            with app.app_context(), unit_of_work() as session:
                left = session.execute(
                    text(
                        "UPDATE outbox SET available_at = now() "
                        "WHERE done_at IS NULL AND parked_at IS NULL AND id > :last RETURNING id"
                    ),
                    {"last": last},
                ).all()
            if not left:
                return
        raise AssertionError(f"Some work does not come to an end: {left}")

    return work
