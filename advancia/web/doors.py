"""The doors, where people sign in and up: only so many may stand in them at once, so that the pages stay quick.

What happens there is meant to be slow, since passwords are hashed. A crowd of strangers who all try at once would
otherwise keep every thread busy, and the pages of those who are inside would wait behind them.
"""

from __future__ import annotations

import os
import threading

from flask import Flask, g

from advancia.config import Settings
from advancia.core.errors import Busy
from advancia.web.limits import Group, group

PATIENCE_SECONDS = 5.0


class Doors:
    """Of one process: `at_once` are let through, `in_line` wait for their turn, and the rest are sent away."""

    def __init__(self, *, at_once: int, in_line: int) -> None:
        self.at_once, self.in_line = at_once, in_line
        self._places = threading.BoundedSemaphore(at_once + in_line)
        self._turns = threading.BoundedSemaphore(at_once)

    @classmethod
    def among(cls, *, threads: int, processes: int) -> Doors:
        """For one of `processes`, each of which answers with so many `threads`: a quarter of them never stands here.

        As many are let through as can hash at the same time, and one more, who talks to the database meanwhile.
        """
        at_once = max(1, (os.cpu_count() or 1) // processes) + 1
        places = max(1, threads - max(1, threads // 4))
        return cls(at_once=min(at_once, places), in_line=max(0, places - at_once))

    def enter(self) -> None:
        """Come in when it is one's turn. Raises `Busy`."""
        if not self._places.acquire(blocking=False):
            raise Busy
        if not self._turns.acquire(timeout=PATIENCE_SECONDS):
            self._places.release()
            raise Busy

    def leave(self) -> None:
        self._turns.release()
        self._places.release()


def init_app(app: Flask, settings: Settings) -> None:
    doors = Doors.among(threads=settings.web_threads, processes=settings.web_workers)

    def enter() -> None:
        if group() is Group.DOORS:
            doors.enter()
            g.left_door = doors.leave

    def leave(_error: BaseException | None) -> None:
        if (left := g.pop("left_door", None)) is not None:
            left()

    app.before_request(enter)
    app.teardown_request(leave)
