"""Contenders that are a function called again and again in this process."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.runner import Turn


class Calls:
    """Calls of one function; `call` says how many units it did."""

    def __init__(
        self, name: str, call: Callable[[], float], *, unit: str = "calls", against: str | None = None
    ) -> None:
        self.name = name
        self.unit = unit
        self.against = against
        self.call = call
        self.is_warm = False

    def turn(self, seconds: float) -> Turn:
        if not self.is_warm:
            for _ in range(10):  # so that plans are kept and pages are in memory
                self.call()
            self.is_warm = True
        begun, count = time.perf_counter(), 0.0
        while (spent := time.perf_counter() - begun) < seconds:
            count += self.call()
        return Turn(count, spent)

    def close(self) -> None:
        return


class Once:
    """One run a turn, however long it takes. `prepare` comes before it and is not timed."""

    def __init__(
        self,
        name: str,
        run: Callable[[], float],
        *,
        unit: str,
        against: str | None = None,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self.name = name
        self.unit = unit
        self.against = against
        self.run = run
        self.prepare = prepare

    def turn(self, seconds: float) -> Turn:  # noqa: ARG002 - it takes what it takes
        if self.prepare is not None:
            self.prepare()
        begun = time.perf_counter()
        count = self.run()
        return Turn(count, time.perf_counter() - begun)

    def close(self) -> None:
        return
