"""The simulated provider within reach of a test, and events as it would send them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import stripe
from flask import Flask

from advancia.providers.cryptomus import SANDBOX, SANDBOX_MERCHANT, CryptoGateway
from advancia.providers.sandbox.server import SandboxServer
from advancia.providers.stripe import CardGateway
from tests.support.pages import Answer, Page

SECRET = "whsec_sandbox_for_tests"


@pytest.fixture
def sandbox(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The provider over real HTTP. Its own events go nowhere: the test sends those that it wants to see."""
    with SandboxServer(
        var=tmp_path, webhook_url="http://127.0.0.1:9/webhooks/stripe", secret=SECRET
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


def choose(checkout_url: str, outcome: str) -> None:
    """What the customer presses on the provider's page: pay, decline, cancel or later."""
    answer = httpx.post(checkout_url, data={"outcome": outcome})
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
