"""A product's webhook endpoint, a hand-moved clock, and the simulated provider with a client for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from advancia.core.money import Money, asset
from advancia.providers.sandbox.couriers import pause_after
from advancia.providers.sandbox.server import SandboxServer
from advancia.providers.stripe import ENABLED_EVENTS, CardGateway, Checkout, Event, verify_event

SECRET = "whsec_for_tests"
# What most tests look at; those about refunds and disputes subscribe to all.
ABOUT_CHECKOUTS = [
    kind for kind in ENABLED_EVENTS if kind.startswith("checkout.") or kind == "payment_intent.payment_failed"
]
SUCCESS, CANCEL = "http://shop.example/paid", "http://shop.example/left"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


class Endpoint:
    """Where webhooks arrive. Answers the statuses put into `answers` one by one, then 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.requests: list[tuple[str, bytes]] = []
        self._came = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/stripe"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 10) -> list[tuple[str, bytes]]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.requests) >= count, seconds), self.requests
        return self.requests

    def _take(self, signature: str, body: bytes) -> int:
        with self._came:
            self.requests.append((signature, body))
            self._came.notify_all()
            return self.answers.pop(0) if self.answers else 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # its sender was killed in the middle of it
                    return
                self.send_response(take(self.headers.get("Stripe-Signature", ""), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        return Handler


@dataclass
class Shop:
    """A merchant at the simulated provider: the server, a client for it, and what came to its endpoint."""

    server: SandboxServer
    gateway: CardGateway
    endpoint: Endpoint
    clock: Clock
    pages: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False))

    def open_checkout(self, deposit_id: UUID | None = None, **changes: object) -> Checkout:
        order = {
            "deposit_id": deposit_id or uuid4(),
            "amount": Money(12_34, asset("USD")),
            "customer_email": "amara@demo.example",
            "success_url": SUCCESS,
            "cancel_url": CANCEL,
            "expires_at": self.clock() + timedelta(hours=1),
        }
        return self.gateway.create_checkout(**{**order, **changes})

    def choose(self, checkout: Checkout, outcome: str) -> httpx.Response:
        return self.pages.post(f"{self.server.url}/checkout/{checkout.id}", data={"outcome": outcome})

    def events(self, count: int) -> list[Event]:
        """The first `count` events that arrive, verified."""
        came = self.endpoint.wait_for(count)
        return [verify_event(body, header, secrets=[SECRET], now=self.clock()) for header, body in came]

    def move_clock(self, **by: float) -> None:
        self.clock.move(**by)
        self.server.wake()

    def refused(self, tries: int) -> None:
        """Wait until the refusal of that try is written down, so that moving the clock leads to the next."""
        self.endpoint.wait_for(tries)
        pause = pause_after(tries)
        until(lambda: self.server.deliveries()[0].due == self.clock().timestamp() + pause)

    def settled(self) -> bool:
        return all(delivery.is_delivered for delivery in self.server.deliveries())


def until(done: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "It did not come to pass in time."
        threading.Event().wait(0.01)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def start_server(tmp_path: Path, endpoint: Endpoint, clock: Clock) -> Callable[..., SandboxServer]:
    """Start the provider over the same folder, as a restart does."""

    def start(**changes: object) -> SandboxServer:
        usual = {"var": tmp_path, "webhook_url": endpoint.url, "secret": SECRET, "clock": clock}
        usual["events"] = ABOUT_CHECKOUTS
        server = SandboxServer(**{**usual, "silence_seconds": 5.0, **changes})
        server.start()
        return server

    return start


@pytest.fixture
def shop(start_server: Callable[..., SandboxServer], endpoint: Endpoint, clock: Clock) -> Iterator[Shop]:
    server = start_server()
    gateway = CardGateway(SECRET, name="sandbox", api_base=server.url, retries=0)
    shop = Shop(server, gateway, endpoint, clock)
    yield shop
    shop.pages.close()
    server.stop()


@pytest.fixture(name="until")
def _until() -> Callable[..., None]:
    """Poll until something is so, with a deadline."""
    return until
