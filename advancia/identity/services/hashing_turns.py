"""Who may hash a password now: a few at once, a few more in line, and the rest are asked to come back.

Hashing is meant to cost time and memory. Without a cap, a storm of sign-ins would take every core, and every
thread that answers pages would stand in line for it. So it is done by threads of its own, which yield to the pages
whenever the machine is short, and only so many of the answering threads may wait for them.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from functools import cached_property
from typing import TypeVar

from advancia.core.errors import Busy

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
NICENESS = 10


class HashingTurns:
    """At most `at_once` at work and `waiting` in line in this process."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self.at_once = at_once
        self._places = threading.BoundedSemaphore(at_once + waiting)

    @classmethod
    def among(cls, *, threads: int, processes: int) -> HashingTurns:
        """For one of `processes`, each of which answers pages with so many `threads`.

        Together they hash on no more than all cores, and a quarter of the threads, at least one where there are
        several, never waits here.
        """
        places = max(1, threads - max(1, threads // 4))
        at_once = min(places, max(1, (os.cpu_count() or 1) // processes))
        return cls(at_once=at_once, waiting=places - at_once)

    def take(self, work: Callable[[], T]) -> T:
        """Do `work` when its turn has come and return what it returns, or raise `Busy` if that would take too long."""
        if not self._places.acquire(blocking=False):
            raise Busy
        future = self._submitted(work)
        try:
            return future.result(timeout=PATIENCE_SECONDS)
        except TookTooLong:
            future.cancel()
            raise Busy from None

    def _submitted(self, work: Callable[[], T]) -> Future[T]:
        try:
            future = self._workers.submit(work)
        except BaseException:
            self._places.release()
            raise
        # Also when it is cancelled; and work that nobody waits for any more keeps its place until it has ended.
        future.add_done_callback(lambda _: self._places.release())
        return future

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        # Made when first needed: threads do not survive the fork that makes a web process.
        return ThreadPoolExecutor(self.at_once, thread_name_prefix="hashing", initializer=_yield_to_pages)


def _yield_to_pages() -> None:
    """Let this thread run when the others leave time; only Linux has priorities by thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
