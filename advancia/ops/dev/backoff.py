"""How long to wait before something that died is started again."""

from __future__ import annotations

import time
from collections.abc import Callable

SETTLED_AFTER = 10.0  # seconds of life after which a death is no longer one at the start
FIRST_PAUSE = 0.5  # seconds; doubled with each early death
LONGEST_PAUSE = 15.0  # seconds


class Backoff:
    """Counts the deaths that follow closely on a start, and sets the pause after each."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.early_deaths = 0
        self.has_settled = False
        self._started_at = now()
        self._due_at = now()

    def started(self) -> None:
        self._started_at = self._now()

    def died(self) -> float:
        """Note a death; return the pause before the next start, in seconds: none after a long life."""
        if self._now() - self._started_at < SETTLED_AFTER:
            self.early_deaths += 1
        else:
            self.early_deaths, self.has_settled = 0, True
        pause = min(FIRST_PAUSE * 2 ** (self.early_deaths - 1), LONGEST_PAUSE) if self.early_deaths else 0.0
        self._due_at = self._now() + pause
        return pause

    @property
    def is_due(self) -> bool:
        return self._now() >= self._due_at
