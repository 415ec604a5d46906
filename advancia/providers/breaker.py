"""A circuit breaker: while a provider does not answer, calls fail at once instead of holding a thread each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from advancia.providers.errors import ProviderUnavailable

FAILURES = 5
PAUSE_SECONDS = 20.0


class Breaker:
    """Opens after so many failures in a row; then one call in each pause finds out whether the provider is back.

    Each process has its own: what one learns costs the others a few slow calls, and needs no cache.
    """

    def __init__(
        self,
        provider_words: str,
        *,
        failures: int = FAILURES,
        pause: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider_words = provider_words
        self._most = failures
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused just now."""
        with self._lock:
            return self._open_until is not None and self._clock() < self._open_until

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make a call, unless the provider is known to be away: then raise `ProviderUnavailable` at once."""
        self._admit()
        try:
            yield
        except ProviderUnavailable:
            self._note_failure()
            raise
        except Exception:  # a refusal is an answer
            self._note_answer()
            raise
        else:
            self._note_answer()

    def _admit(self) -> None:
        with self._lock:
            if self._open_until is None:
                return
            if self._clock() < self._open_until:
                raise ProviderUnavailable(self._provider_words, detail="It has not answered for a while.")
            self._open_until = self._clock() + self._pause  # this call finds out; the others wait for it

    def _note_failure(self) -> None:
        with self._lock:
            self._failed += 1
            if self._failed >= self._most:
                self._open_until = self._clock() + self._pause

    def _note_answer(self) -> None:
        with self._lock:
            self._failed = 0
            self._open_until = None
