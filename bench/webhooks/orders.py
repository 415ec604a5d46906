"""How the bench speaks to its client processes: an order a line in JSON, an answer a line in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from bench.machine import ROOT

Answer = dict[str, Any]


class Client:
    """A client process, `module` being its side of it."""

    def __init__(self, module: str, told: Mapping[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(told)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def order(self, **order: Any) -> None:
        print(json.dumps(order), file=self.process.stdin, flush=True)

    def answer(self) -> Answer:
        """Wait for what it says to the oldest order that is not answered."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise RuntimeError("A client of the bench has ended; what it said stands above.")
        answer: Answer = json.loads(line)
        return answer

    def ask(self, **order: Any) -> Answer:
        self.order(**order)
        return self.answer()


def told() -> dict[str, Any]:
    """What the bench told this process at its start."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    return settings


def serve(carry_out: Callable[..., Answer]) -> None:
    """Carry out orders until there are no more."""
    for line in sys.stdin:
        print(json.dumps(carry_out(**json.loads(line))), flush=True)
