"""What is measured through Python: our API, the same call without it, and the peers."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Any

from advancia.ops.dev.postgres import SUPERUSER
from bench.crew import Crew
from bench.machine import ROOT
from bench.runner import Contender, NotHere, Turn, counted
from bench.server import Server

HORDAK = "django-hordak==2.0.0"
PYTHON_ACCOUNTING = "python-accounting==2.0.0"
WORKERS = "bench.ledger.workers"


class Absent:
    """A contender that could not come, in its place."""

    unit = "postings"
    against: str | None = None

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.why = why

    def turn(self, seconds: float) -> Turn:  # noqa: ARG002 - it takes none
        raise NotHere(self.why)

    def close(self) -> None:
        return


def ours(server: Server, database: str, clients: int, *, customers: int, in_autocommit: bool) -> list[Crew]:
    """Our API, the same call by the driver alone, and if wanted that call in one round trip."""
    told = {"url": server.url(database), "customers": customers}
    bare = f"psycopg, {counted(clients)}"

    def crew(name: str, worker: str, *, against: str | None = bare, **more: bool) -> Crew:
        return Crew(
            name,
            f"{WORKERS}.{worker}",
            server=server,
            clients=clients,
            told={**told, **more},
            against=against,
        )

    found = [
        crew(f"Python API, {counted(clients)}", "by_api"),
        crew(bare, "by_psycopg", against=None, autocommit=False),
    ]
    if in_autocommit:
        found.append(crew(f"psycopg in autocommit, {counted(clients)}", "by_psycopg", autocommit=True))
    return found


class Peers:
    """Other ledgers in Python, in an environment of their own, which is made the first time and kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"

    def hordak(self, server: Server, clients: list[int]) -> list[Contender]:
        database = server.new_database("bench_hordak", template=None)
        told = {"database": database, "user": SUPERUSER, "host": str(server.cluster.sockets)}
        crews = self._crews("django-hordak", "by_hordak", clients, server=server, told=told)
        return self._ready(crews, [HORDAK, "psycopg[binary]"])

    def python_accounting(self, server: Server, clients: list[int]) -> list[Contender]:
        """What it says it needs includes a driver that must be compiled, so it is installed without."""
        database = server.new_database("bench_python_accounting", template=None)
        told = {"url": server.url(database, SUPERUSER)}
        crews = self._crews("python-accounting", "by_python_accounting", clients, server=server, told=told)
        return self._ready(
            crews, ["sqlalchemy>=2.1.4,<2.2", "python-dateutil<3"], ["--no-deps", PYTHON_ACCOUNTING]
        )

    def _crews(
        self, name: str, worker: str, clients: list[int], *, server: Server, told: dict[str, Any]
    ) -> list[Crew]:
        return [
            Crew(
                f"{name}, {counted(each)}",
                f"{WORKERS}.{worker}",
                server=server,
                clients=each,
                told=told,
                python=self.python,
                against=f"Python API, {counted(each)}",
            )
            for each in clients
        ]

    def _ready(self, crews: list[Crew], *installs: list[str]) -> list[Contender]:
        """The crews, once their packages and tables are there; otherwise why they are absent."""
        try:
            if not self.python.exists():
                venv.create(self.folder, with_pip=True)
            for packages in installs:
                _run([str(self.python), "-m", "pip", "install", "-q", *packages], "it cannot be installed")
            told = json.dumps({**crews[0].told, "migrate": True})
            _run([str(self.python), "-m", crews[0].module, told], "its tables cannot be made")
        except (NotHere, OSError, subprocess.CalledProcessError) as absence:
            return [Absent(each.name, str(absence)) for each in crews]
        return list(crews)


def _run(command: list[str], failing: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        words = ran.stderr.strip().splitlines()
        raise NotHere(f"{failing}: {words[-1] if words else 'no reason was given'}")
