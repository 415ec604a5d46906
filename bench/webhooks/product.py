"""The product in processes of its own, as it runs in production, with the sandbox for a provider."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from types import TracebackType
from typing import Self

from flask import Flask

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core.db import db
from advancia.ops.dev.logs import last_lines
from advancia.ops.dev.postgres import OWNER
from advancia.ops.dev.valkey import ValkeyServer
from bench.machine import ROOT
from bench.server import Server

START_SECONDS = 60.0
STOP_SECONDS = 20.0


class Product:
    """Web, relay, worker and sandbox over the database `name` of the bench's server, and a Valkey beside it."""

    def __init__(self, server: Server, name: str, *, workers: int = 1) -> None:
        self.workers = workers
        self.folder = server.folder / "product"
        self.folder.mkdir()
        self.valkey = ValkeyServer(server.folder / "valkey")
        port, sandbox_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.secret = f"whsec_{secrets.token_hex(16)}"
        self.environ = {
            "ADVANCIA_ENV": "test",
            "ADVANCIA_VAR": str(self.folder),
            "DATABASE_URL": server.url(server.new_database(name)),
            "DATABASE_OWNER_URL": server.url(name, OWNER),
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": "a key for a benchmark, which guards nothing at all",
            "FIELD_KEYS": f"bench:{secrets.token_hex(32)}",
            "PORT": str(port),
            "PUBLIC_URL": self.url,
            "SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
            "SANDBOX_SECRET": self.secret,
            "LOG_LEVEL": "INFO",
        }
        self.settings = load_settings(self.environ)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.app: Flask = create_app(self.settings)

    def __enter__(self) -> Self:
        try:
            self.valkey.start()
        except BaseException:
            self.valkey.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RuntimeError):
            for name in self.processes:
                error.add_note(f"The last words of {name}:\n{last_lines(self.folder / f'{name}.log', 5)}")
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            _bury(process)
        self.valkey.stop()
        with self.app.app_context():
            db.engine.dispose()

    def start(self) -> None:
        """Start all processes and wait until they answer."""
        for name, command in self._commands().items():
            self.processes[name] = self._launch(name, command)
        _wait_for(f"{self.url}/health")
        _wait_for(f"{self.settings.sandbox_url}/health")

    def _commands(self) -> dict[str, list[str]]:
        module = [sys.executable, "-m"]
        settings = self.settings
        return {
            "web": [
                *module,
                *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(settings.port)),
                *("--workers", str(settings.web_workers), "--blocking-threads", str(settings.web_threads)),
                *("--no-ws", "--log-level", "error", "wsgi:app"),
            ],
            "relay": [*module, "worker.relay"],
            **{f"worker {number}": [*module, "worker"] for number in range(1, self.workers + 1)},
            "sandbox": [*module, "advancia.providers.sandbox"],
        }

    def _launch(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **self.environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - an address of ours
                return
        except OSError:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer.") from None
            time.sleep(0.1)


def _bury(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
