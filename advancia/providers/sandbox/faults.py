"""Faults on demand: the next API calls fail in the ways in which a real provider's do."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import TypeVar

from advancia.providers.sandbox.errors import ApiError

T = TypeVar("T")


class Fault(Enum):
    """How a call fails."""

    UNAVAILABLE = auto()  # 503, and nothing was done
    RATE_LIMITED = auto()  # 429, and nothing was done
    ERROR_AFTER = auto()  # the call was accepted, and then the answer was a 500
    SILENT_AFTER = auto()  # the call was accepted, and the answer does not come in time


class Faults:
    """A queue of faults; each API call takes one."""

    def __init__(self, *, silence_seconds: float = 30.0) -> None:
        self._queue: deque[Fault] = deque()
        self._silence_seconds = silence_seconds
        self._woken = threading.Event()

    def fail_next(self, fault: Fault, times: int = 1) -> None:
        """Let the next call fail, or the next `times` calls."""
        self._queue.extend([fault] * times)

    def around(self, act: Callable[[], T]) -> T:
        """Carry out an API call, or fail it as asked. Raises `ApiError`."""
        fault = self._take()
        if fault is Fault.UNAVAILABLE:
            raise ApiError("The simulation is out of service.", status=503, kind="api_error")
        if fault is Fault.RATE_LIMITED:
            raise ApiError("Too many requests.", status=429, code="rate_limit")
        answer = act()
        if fault is Fault.ERROR_AFTER:
            raise ApiError("Something went wrong.", status=500, kind="api_error")
        if fault is Fault.SILENT_AFTER:
            self._woken.wait(self._silence_seconds)
        return answer

    def stop(self) -> None:
        """Let go of the answers that are held back."""
        self._woken.set()

    def _take(self) -> Fault | None:
        try:
            return self._queue.popleft()
        except IndexError:
            return None
