"""The whole product in processes of its own, as the supervisor starts it: for races, faults and real browsers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from advancia.app import create_app
from advancia.config import ROOT, load_settings
from advancia.core.db import db
from advancia.providers import authorities

DEADLINE_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def eventually(condition: Callable[[], object], what: str, *, within: float = DEADLINE_SECONDS) -> None:
    """Look again and again until `condition` holds; fail in words after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Within {within:.0f} seconds it did not come true that {what}.")
        time.sleep(0.05)


class Product:
    """Web, worker, relay and sandbox, each a process group that can be killed and started again."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        port, sandbox_port = free_port(), free_port()
        self.url = f"http://localhost:{port}"  # a name: passkeys are kept under one
        self.folder = folder
        self.environ = {
            **environ,
            "PORT": str(port),
            "PUBLIC_URL": self.url,
            "SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
            "LOG_LEVEL": "INFO",
            "WEB_THREADS": "8",
            "TRUSTED_PROXIES": "1",  # so that tests may come from many addresses
        }
        python = sys.executable
        self.commands = {
            "web": [
                *(python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1", "--blocking-threads", "8", "--no-ws", "wsgi:app"),
            ],
            "worker": [python, "-m", "worker"],
            "relay": [python, "-m", "worker.relay"],
            "sandbox": [python, "-m", "advancia.providers.sandbox"],
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        # The same product within this process, to look at its books and to make people for it.
        self.app = create_app(load_settings(self.environ))

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.commands[name],
                cwd=ROOT,
                env={**os.environ, **self.environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_all(self) -> None:
        for name in self.commands:
            self.start(name)
        eventually(lambda: self._answers(self.url + "/health"), "the web process answers")
        eventually(lambda: self._answers(self.environ["SANDBOX_URL"] + "/"), "the sandbox answers")

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send the signal to the process and all that it has started, and wait until it has ended."""
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, number)
        process.wait(timeout=DEADLINE_SECONDS)

    def stop_all(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            httpx.get(url, timeout=2, verify=authorities.known())
        except httpx.HTTPError:
            return False
        return True


@pytest.fixture(scope="session")
def running_product(product_environ: dict[str, str]) -> Iterator[Product]:
    product = Product(product_environ, Path(product_environ["ADVANCIA_VAR"]))
    product.start_all()
    yield product
    product.stop_all()
    with product.app.app_context():
        db.engine.dispose()


@pytest.fixture
def product(running_product: Product) -> Product:
    """The running product; what a test has killed is started again for the next one."""
    for name in running_product.commands:
        if name not in running_product.processes or running_product.processes[name].poll() is not None:
            running_product.start(name)
    eventually(lambda: running_product._answers(running_product.url + "/health"), "the web process answers")
    return running_product
