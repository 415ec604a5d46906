"""The other side of `bench.crew`: a process whose threads work while a turn lasts.

It uses the standard library alone, since contenders bring virtual environments of their own.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

Client = Callable[[], int]  # does one piece of work and says how many units that was


def told() -> dict[str, Any]:
    """What the bench told this process: its first argument, as JSON."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    return settings


def serve(new_client: Callable[[random.Random], Client], *, threads: int) -> None:
    """Make a client a thread; then, for each line that tells a number of seconds, work that long and report."""
    clients = [new_client(random.Random(uuid4().int)) for _ in range(threads)]  # noqa: S311 - no secrets here
    _say({"ready": True})
    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin:
            begun = time.perf_counter()
            until = begun + float(line)
            try:
                count = sum(pool.map(_work, clients, [until] * threads))
            except Exception as error:  # noqa: BLE001 - the bench shows it
                _say({"error": f"{type(error).__name__}: {error}"[:300]})
                continue
            _say({"count": count, "seconds": time.perf_counter() - begun})


def _work(client: Client, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        count += client()
    return count


def _say(report: dict[str, Any]) -> None:
    print(json.dumps(report), flush=True)
