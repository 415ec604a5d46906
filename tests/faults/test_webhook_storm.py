"""A storm of webhooks in which everything is killed: what was answered is credited once, and nobody touches anything.

The servers are this test's own, since they are killed as well, and they write to the disk as in production.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Self
from urllib.parse import urlsplit

import pytest

from advancia.core.db import db
from advancia.ops.dev.postgres import APP, DATABASE, OWNER, PostgresCluster
from advancia.ops.dev.valkey import ValkeyServer
from bench.webhooks import prepare, verdict
from tests.conftest import FIELD_SECRET, SANDBOX_SECRET, SEAL_SECRET, migrate
from tests.support.servers import Product, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(600)]

CONNECTIONS = 6
PATIENCE = 200.0  # a machine may be busy with other tests
OURS = ("worker", "relay", "web")
ALL = (*OURS, "postgres", "valkey")


class House:
    """The product and its servers, all of which can be killed; what ends by itself is started again."""

    def __init__(self, folder: Path) -> None:
        self.servers = {
            "postgres": PostgresCluster(folder / "postgres", durable=True),
            "valkey": ValkeyServer(folder / "valkey"),
        }
        for server in self.servers.values():
            server.start()
        self.url = self.servers["postgres"].url(APP, DATABASE)
        var = folder / "var"
        var.mkdir()
        environ = {
            "ADVANCIA_ENV": "test",
            "ADVANCIA_VAR": str(var),
            "DATABASE_URL": self.url,
            "DATABASE_OWNER_URL": self.servers["postgres"].url(OWNER, DATABASE),
            "REDIS_URL": self.servers["valkey"].url,
            "SECRET_KEY": "a key for tests, which guards nothing at all",
            "SEAL_KEYS": f"test:{SEAL_SECRET}",
            "FIELD_KEYS": f"test:{FIELD_SECRET}",
            "SANDBOX_SECRET": SANDBOX_SECRET,
            "WEB_WORKERS": "1",
        }
        migrate({**environ, "SANDBOX_URL": "http://127.0.0.1:9"})
        self.product = Product(environ, var)
        self.product.start_all()
        self.user_ids = prepare.customers(self.product.app, 20)

    def kill(self, name: str) -> None:
        """End it at once, as `kill -9` does."""
        if name in self.servers:
            self.servers[name].kill()
        elif name in self.product.processes:
            self.product.kill(name)

    def look_after(self) -> None:
        """Start what does not run, as the supervisor would."""
        for server in self.servers.values():
            server.start()  # does nothing where it runs
        for name in self.product.commands:
            process = self.product.processes.get(name)
            if process is None or process.poll() is not None:
                self.product.start(name)

    def end(self) -> None:
        self.product.stop_all()
        with self.product.app.app_context():
            db.engine.dispose()
        for server in self.servers.values():
            server.stop()


class Storm:
    """Events that are sent until each of them was answered 2xx, as a provider would, by several at once."""

    def __init__(self, house: House, folder: Path, count: int) -> None:
        self.house = house
        file = folder / "events.jsonl"
        self.deposit_ids = prepare.events(house.product.app, house.user_ids, count, file)
        self.bodies = [json.loads(line)["body"].encode() for line in file.read_text().splitlines()]
        self.answered = 0
        self.refused = 0
        self._lock = Lock()
        self._stop = Event()

    def __enter__(self) -> Self:
        numbers = iter(self.bodies)
        self._pool = ThreadPoolExecutor(CONNECTIONS)
        self._senders = [self._pool.submit(self._send_all, numbers) for _ in range(CONNECTIONS)]
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._pool.shutdown()
        for sender in self._senders:
            sender.result()

    def reach(self, share: float) -> None:
        """Wait until so large a share of the events was answered."""
        eventually(
            lambda: self.answered >= share * len(self.bodies), f"{share:.0%} are answered", within=PATIENCE
        )

    def is_credited(self) -> bool:
        self.house.look_after()
        return verdict.credits_of(self.house.url, self.deposit_ids).count == len(self.deposit_ids)

    def _send_all(self, bodies: Iterator[bytes]) -> None:
        for body in bodies:
            while not self._stop.is_set() and not self._is_taken(body):
                self.refused += 1
                self._stop.wait(0.1)
            with self._lock:
                self.answered += 1

    def _is_taken(self, body: bytes) -> bool:
        at = str(int(time.time()))
        signed = hmac.new(SANDBOX_SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        connection = http.client.HTTPConnection(urlsplit(self.house.product.url).netloc, timeout=20)
        try:
            connection.request("POST", "/webhooks/stripe", body, {"Stripe-Signature": f"t={at},v1={signed}"})
            return 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="advancia-storm-"))
    folder.chmod(0o755)
    made = House(folder)
    yield made
    made.end()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("victim", ALL)
def test_it_is_killed_twice_during_a_storm(house, tmp_path, victim):
    with Storm(house, tmp_path, 150) as storm:
        for share in (0.2, 0.6):
            storm.reach(share)
            house.kill(victim)
            house.look_after()
        storm.reach(1.0)

    eventually(storm.is_credited, "all of them are credited", within=PATIENCE)
    verdict.proven(house.url, storm.deposit_ids)


def test_all_of_them_are_killed_one_after_the_other_and_then_at_once(house, tmp_path):
    with Storm(house, tmp_path, 600) as storm:
        for number, victims in enumerate([*([name] for name in ALL), ALL], start=1):
            storm.reach(number / 8)
            for name in victims:
                house.kill(name)
            house.look_after()
        storm.reach(1.0)

    eventually(storm.is_credited, "all of them are credited", within=PATIENCE)
    assert storm.refused > 0, "nobody noticed the kills"
    verdict.proven(house.url, storm.deposit_ids)
