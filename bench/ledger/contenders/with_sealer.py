"""Posting while what was posted is sealed, a block a second."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from bench.ledger.proof import sealer
from bench.pgbench import Pgbench
from bench.runner import Turn

EVERY = 1.0  # seconds; the clock's own pace is a minute


class WithSealer:
    """A contender beside which a sealer works; what came before its turn is sealed before it."""

    unit = "postings"

    def __init__(self, inner: Pgbench) -> None:
        self.name = f"{inner.name}, sealed"
        self.against: str | None = inner.name
        self.inner = inner
        self.seal, self.end = sealer(inner.server, inner.database)

    def turn(self, seconds: float) -> Turn:
        self.seal()
        stop = Event()
        thread = Thread(target=_repeat, args=(self.seal, stop))
        thread.start()
        try:
            return self.inner.turn(seconds)
        finally:
            stop.set()
            thread.join()

    def close(self) -> None:
        self.end()


def _repeat(seal: Callable[[], int], stop: Event) -> None:
    while not stop.wait(EVERY):
        seal()
