"""Contenders that are scripts of pgbench."""

from __future__ import annotations

import math
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from advancia.ops.dev.postgres import APP, binary
from bench.runner import NotHere, Turn
from bench.server import Server, with_costs

WARM_UP = 1  # second: every turn has new connections, and those plan everything once
PROGRESS = re.compile(r"progress: ([0-9.]+) s, ([0-9.]+) tps")
PROCESSED = re.compile(r"actually processed: ([0-9]+)")
RATE = re.compile(r"tps = ([0-9.]+) \(without")


class Pgbench:
    """A script, or without one pgbench's own TPC-B, run by so many clients."""

    unit = "postings"

    def __init__(
        self,
        name: str,
        script: Path | None,
        *,
        server: Server,
        database: str,
        clients: int,
        against: str | None = None,
        variables: Mapping[str, int] | None = None,
        user: str = APP,
        mode: str = "prepared",
        warm_up: bool = True,
    ) -> None:
        self.name = name
        self.against = against
        self.server = server
        self.warm_up = WARM_UP if warm_up else 0
        self.command = [
            *(str(binary("pgbench")), "-n", "-M", mode, "-P", "1"),
            *("-c", str(clients), "-j", str(min(clients, os.cpu_count() or 1))),
            *(["-f", str(script)] if script is not None else []),
            *(word for name, value in (variables or {}).items() for word in ("-D", f"{name}={value}")),
            *("-h", str(server.cluster.sockets), "-U", user),
        ]
        self.database = database

    def turn(self, seconds: float) -> Turn:
        whole = self.warm_up + max(1, math.ceil(seconds))
        with self.server.costs() as spent:
            ran = subprocess.run(
                [*self.command, "-T", str(whole), self.database],
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": os.defpath, "LC_ALL": "C"},
            )
        if ran.returncode != 0:
            words = [line for line in ran.stderr.splitlines() if "error" in line.lower()]
            raise NotHere(words[0] if words else ran.stderr.strip()[-300:])
        return with_costs(self._read(ran.stdout, ran.stderr), spent)

    def close(self) -> None:
        return

    def _read(self, report: str, progress: str) -> Turn:
        """The turn without its warm-up, which the first line of progress tells."""
        processed, rate = PROCESSED.search(report), RATE.search(report)
        if processed is None or rate is None or float(rate.group(1)) == 0:
            raise NotHere("pgbench did not tell what it did")
        count, seconds = int(processed.group(1)), int(processed.group(1)) / float(rate.group(1))
        begun = PROGRESS.search(progress)
        if not self.warm_up or begun is None:
            return Turn(count, seconds, counted=count)
        warm_seconds = float(begun.group(1))
        return Turn(count - float(begun.group(2)) * warm_seconds, seconds - warm_seconds, counted=count)
