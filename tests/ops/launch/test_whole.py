"""A whole copy as it should be when customers come: production's settings, all processes, and a proxy that ends TLS."""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import SimpleNamespace

import httpx
import pytest
from sqlalchemy import insert, text

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core import heartbeats
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.core.recurring import TABLE, ClockLine
from advancia.ops.launch import services
from advancia.ops.launch.canary import Canary
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import State, checks
from tests.support.launch import GIB, PUBLIC_URL, SET, plant
from tests.support.people import give
from tests.support.servers import Product, eventually
from tests.support.smtp import SmtpServer

pytestmark = pytest.mark.slow

NAME = "pay.launched.net"
# Live providers cannot be asked from a test; the simulation is, in `test_loop`.
ASK_PROVIDERS = {"card-webhooks", "crypto-webhooks"}
REAL_PAYMENT = """
    insert into deposit (id, user_id, request_id, asset, amount, provider, state, credited, paid_at, expires_at)
    values (gen_random_uuid(), :user, gen_random_uuid(), 'USD', 100, 'stripe', 'paid', 100, now(), now())
"""


class Launched(Product):
    """Web, worker, relay and clock with production's settings; nothing of it reaches out of this machine."""

    def __init__(self, environ, folder, *, smtp_port) -> None:
        super().__init__(environ, folder)
        self.environ |= {
            **SET,
            "ADVANCIA_VAR": str(folder),
            "SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
            "SANDBOX_URL": "",
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }
        del self.commands["sandbox"]
        self.commands["clock"] = [sys.executable, "-m", "worker.schedule"]
        self.app = create_app(load_settings(self.environ))

    def start_all(self) -> None:
        for name in self.commands:
            self.start(name)
        eventually(lambda: self._answers(self.url + "/health"), "the web process answers")
        eventually(self._all_beat, "worker, relay and clock say that they live")

    def _all_beat(self) -> bool:
        with self.app.app_context():
            return len(heartbeats.last_beats(db.session())) == len(heartbeats.PROCESSES)


class Dialled(httpx.HTTPTransport):
    """The public name leads to this machine's proxy, as DNS would have it; without TLS, on to where there is TLS."""

    def __init__(self, port, trusted) -> None:
        super().__init__(verify=trusted)
        self.port = port

    def handle_request(self, request):
        if request.url.scheme == "http":
            return httpx.Response(301, headers={"Location": str(request.url.copy_with(scheme="https"))})
        there = request.url.copy_with(host="127.0.0.1", port=self.port)
        extensions = {**request.extensions, "sni_hostname": NAME}
        return super().handle_request(
            httpx.Request(
                request.method, there, headers=request.headers, stream=request.stream, extensions=extensions
            )
        )


@pytest.fixture
def launched(scratch_of, tmp_path):
    smtp = SmtpServer()
    product = Launched(scratch_of().environ, tmp_path, smtp_port=smtp.port)
    plant(product.app)
    with product.app.app_context(), unit_of_work() as session:
        session.execute(text("delete from heartbeat"))
        for line in TABLE:  # the night's work was done, and asks nobody outside
            turn = {"known_since": utcnow(), "turn": line.last_turn(utcnow())}
            session.execute(insert(ClockLine).values(job=line.job.value, **turn))
    product.start_all()
    yield product
    product.stop_all()
    smtp.close()
    with product.app.app_context():
        db.engine.dispose()


@pytest.fixture
def look(launched, certificate_of, tls_proxy):
    certificate = certificate_of(NAME, days=60)
    port = tls_proxy(certificate, launched.url)
    with launched.app.app_context():
        look = Look(
            app=launched.app,
            url=PUBLIC_URL,
            present={**os.environ, **launched.environ},
            disk_usage=lambda _path: SimpleNamespace(total=100 * GIB, free=50 * GIB),
            transport=Dialled(port, certificate.trusted()),
            connect=lambda _address, timeout: socket.create_connection(("127.0.0.1", port), timeout=timeout),
            tls=certificate.trusted,
        )
        keeper = Canary.keeper(look)
        keeper.leave()
        with unit_of_work() as session:
            session.execute(text(REAL_PAYMENT), {"user": keeper.user_id})
        give(launched.app, keeper.user_id, Money.of("0.01", "USD"))
        yield look
        db.session.rollback()


def test_a_copy_that_is_set_well_passes_and_one_whose_clock_has_died_does_not(launched, look):
    names = [each.name for each in checks() if each.name not in ASK_PROVIDERS]
    with unit_of_work() as session:
        run_id = services.open_run(session, url=PUBLIC_URL)
    lines = services.conduct(look, run_id=run_id, names=names)

    assert [(line.name, line.evidence) for line in lines if line.state is not State.OK] == []
    assert len(lines) == len(names)

    launched.kill("clock", signal.SIGKILL)
    with unit_of_work() as session:
        session.execute(
            text("update heartbeat set seen_at = seen_at - interval '1 minute' where process = 'clock'")
        )
    [line] = services.conduct(look, run_id=run_id, names=["processes"])
    assert (line.state, "clock" in line.evidence) == (State.BLOCKER, True)
