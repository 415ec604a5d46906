"""The simulated provider carries its events until they are taken, whatever stops in between."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import stripe

from advancia.core.clock import utcnow
from advancia.core.money import Money, asset
from advancia.providers.sandbox.couriers import pause_after
from advancia.providers.stripe import CardGateway

SECRET = "whsec_for_tests"
ROOT = Path(__file__).parents[2]


def test_the_pauses_grow_and_stay_below_half_a_minute():
    assert [pause_after(tries) for tries in (1, 2, 3, 4, 5, 6, 7, 8, 10_000)] == [
        0.5,
        1,
        2,
        4,
        8,
        16,
        30,
        30,
        30,
    ]


def test_the_envelope_is_what_stripes_own_library_reads(shop):
    shop.choose(shop.open_checkout(), "pay")
    [(header, body)] = shop.endpoint.wait_for(1)
    event = stripe.Webhook.construct_event(body, header, SECRET, tolerance=300)

    assert (event.object, event.type, event.livemode) == ("event", "checkout.session.completed", False)
    assert event.id.startswith("evt_")
    assert event.api_version
    assert event.data.object.payment_status == "paid"
    assert b"sandbox" not in body  # what the simulation remembers for itself stays inside


def test_an_event_is_sent_again_until_the_answer_is_2xx_each_time_signed_anew(shop, until):
    shop.endpoint.answers = [500, 500]
    shop.choose(shop.open_checkout(), "pay")
    shop.refused(1)
    shop.move_clock(seconds=1)
    shop.refused(2)
    shop.move_clock(seconds=2)
    tries = shop.endpoint.wait_for(3)
    until(shop.settled)

    assert len({body for _, body in tries}) == 1
    times = [int(header.split(",")[0].removeprefix("t=")) for header, _ in tries]
    assert [later - times[0] for later in times] == [0, 1, 3]
    [delivery] = shop.server.deliveries()
    assert (delivery.tries, delivery.answer, delivery.due) == (3, 200, None)
    shop.move_clock(hours=1)
    assert len(shop.endpoint.requests) == 3


@pytest.mark.parametrize("status", [301, 400, 404, 503])
def test_any_answer_but_2xx_is_none(shop, until, status):
    shop.endpoint.answers = [status]
    shop.choose(shop.open_checkout(), "pay")
    shop.refused(1)
    shop.move_clock(seconds=1)

    shop.endpoint.wait_for(2)
    until(shop.settled)


def test_after_three_days_it_gives_up(shop, until):
    shop.endpoint.answers = [500] * 1000
    shop.choose(shop.open_checkout(), "pay")
    shop.refused(1)
    shop.move_clock(days=3.1)
    shop.endpoint.wait_for(2)

    until(lambda: shop.server.deliveries()[0].due is None)
    assert not shop.settled()


def test_an_event_can_be_sent_once_more(shop, until):
    shop.choose(shop.open_checkout(), "pay")
    [first] = shop.events(1)
    until(shop.settled)
    shop.server.deliver_again(first.id)

    assert [event.id for event in shop.events(2)] == [first.id] * 2


def test_what_is_pending_survives_a_restart(start_server, endpoint, clock):
    endpoint.answers = [500]
    server = start_server()
    gateway = CardGateway(SECRET, name="sandbox", api_base=server.url)
    order = {
        "deposit_id": uuid4(),
        "amount": Money(500, asset("USD")),
        "customer_email": "amara@demo.example",
        "success_url": "http://shop.example/paid",
        "cancel_url": "http://shop.example/left",
        "expires_at": clock() + timedelta(hours=1),
    }
    checkout = gateway.create_checkout(**order)
    unpaid = gateway.create_checkout(**{**order, "deposit_id": uuid4()})
    httpx.post(checkout.url, data={"outcome": "pay"})
    endpoint.wait_for(1)
    server.stop()

    server = start_server(port=server.port)
    try:
        bodies = [json.loads(body) for _, body in endpoint.wait_for(2)]
        assert bodies[0] == bodies[1]
        assert gateway.retrieve_checkout(checkout.id).is_paid
        assert gateway.create_checkout(**order).id == checkout.id  # its idempotency key is remembered
        clock.move(hours=2)
        server.wake()
        assert json.loads(endpoint.wait_for(3)[2][1])["data"]["object"]["id"] == unpaid.id
    finally:
        server.stop()


class Process:
    """`python -m advancia.providers.sandbox`, as the supervisor starts it."""

    def __init__(self, var: Path, endpoint_url: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        environ = {
            "PATH": os.environ["PATH"],
            "ADVANCIA_VAR": str(var),
            "ADVANCIA_ENV": "test",
            "SECRET_KEY": "x" * 32,
            "DATABASE_URL": "postgresql:///unused",
            "REDIS_URL": "redis://unused",
            "SANDBOX_URL": self.url,
            "SANDBOX_SECRET": SECRET,
            "PUBLIC_URL": endpoint_url.removesuffix("/webhooks/stripe"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "advancia.providers.sandbox"],
            cwd=ROOT,
            env=environ,
            stderr=subprocess.PIPE,
        )

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.process.stderr.read()
        try:
            return httpx.get(f"{self.url}/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(10)
        self.process.stderr.close()
        return code


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_the_process_survives_kill_and_ends_cleanly_when_told_to(tmp_path, endpoint, until):
    endpoint.answers = [500] * 3
    port = free_port()
    killed = Process(tmp_path, endpoint.url, port)
    try:
        until(killed.is_up, seconds=30)
        checkout = CardGateway(SECRET, name="sandbox", api_base=killed.url).create_checkout(
            deposit_id=uuid4(),
            amount=Money(500, asset("USD")),
            customer_email="amara@demo.example",
            success_url="http://shop.example/paid",
            cancel_url="http://shop.example/left",
            expires_at=utcnow() + timedelta(hours=1),
        )
        httpx.post(checkout.url, data={"outcome": "pay"}, trust_env=False)
        endpoint.wait_for(1)
    finally:
        killed.end(signal.SIGKILL)

    second = Process(tmp_path, endpoint.url, port)
    try:
        until(second.is_up, seconds=30)
        endpoint.wait_for(5, seconds=20)
        told = [json.loads(body) for _, body in endpoint.requests]
        assert {event["type"] for event in told} == {"checkout.session.completed", "payment_intent.succeeded"}
        assert checkout.id in {event["data"]["object"]["id"] for event in told}
    finally:
        code = second.end(signal.SIGTERM)
    assert code == 0


def test_a_busy_port_is_told_in_a_sentence(tmp_path, endpoint):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        late = Process(tmp_path, endpoint.url, busy.getsockname()[1])
        words = late.process.communicate(timeout=30)[1].decode()

    assert late.process.returncode == 1
    assert "Set SANDBOX_URL to a free port." in words
    assert "Traceback" not in words
