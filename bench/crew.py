"""Contenders that are programs of their own: some processes with some threads each, which work on command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.machine import ROOT
from bench.runner import NotHere, Turn
from bench.server import Server, with_costs

WARM_UP = 0.5  # seconds


class Crew:
    """A contender whose clients live in `processes` (`bench.turns` is their side), started at its first turn."""

    def __init__(
        self,
        name: str,
        module: str,
        *,
        server: Server,
        clients: int,
        told: dict[str, Any],
        python: Path | str = sys.executable,
        against: str | None = None,
        unit: str = "postings",
        times_longer: float = 1,
    ) -> None:
        self.name = name
        self.unit = unit
        self.against = against
        self.module = module
        self.server = server
        self.shares = shared_out(clients, os.cpu_count() or 1)
        self.told = told
        self.python = python
        self.times_longer = times_longer  # for pieces of work that are long themselves
        self.processes: list[subprocess.Popen[str]] = []

    def turn(self, seconds: float) -> Turn:
        if not self.processes:
            self._start()
            self._ordered(WARM_UP)
        with self.server.costs() as spent:
            turn = self._ordered(seconds * self.times_longer)
        return with_costs(turn, spent)

    def close(self) -> None:
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def _start(self) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        for threads in self.shares:
            told = json.dumps({**self.told, "threads": threads})
            self.processes.append(
                subprocess.Popen(
                    [str(self.python), "-m", self.module, told],
                    cwd=ROOT,
                    env=environ,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        for process in self.processes:
            self._heard(process)

    def _ordered(self, seconds: float) -> Turn:
        for process in self.processes:
            print(seconds, file=process.stdin, flush=True)
        reports = [self._heard(process) for process in self.processes]
        return Turn(sum(each["count"] for each in reports), max(each["seconds"] for each in reports))

    def _heard(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        line = process.stdout.readline() if process.stdout else ""
        report: dict[str, Any] = json.loads(line) if line else {"error": _last_words(process)}
        if "error" in report:
            self.close()
            raise NotHere(report["error"])
        return report


def _last_words(process: subprocess.Popen[str]) -> str:
    words = process.stderr.read().strip().splitlines() if process.stderr else []
    return words[-1] if words else "it ended without a word"


def shared_out(clients: int, processes: int) -> Sequence[int]:
    """How many threads each process gets: no more processes than clients, and as even as can be."""
    processes = min(clients, processes)
    return [clients // processes + (number < clients % processes) for number in range(processes)]
