"""Errors whose text may be shown to the person in front of the page."""

from __future__ import annotations

import math
from datetime import timedelta

MINUTE, HOUR = 60, 3600


class DomainError(Exception):
    """A refusal that the customer can understand; its text goes onto the page as it is.

    Anything else that is raised becomes a page with a reference, and its text stays in the log.
    """


class NotFound(DomainError):
    """There is no such thing, or it is somebody else's, which must look the same."""

    def __init__(self, message: str = "We could not find that.") -> None:
        super().__init__(message)


class Busy(DomainError):
    """Too much is asked of us at once; nothing was done, and the same may be asked again in a moment."""

    def __init__(self) -> None:
        super().__init__(
            "Too much is asked of us just now. Nothing was changed. Wait a few seconds, then try again."
        )


class LimitReached(DomainError):
    """Asked too often. `wait` tells how long to wait before asking again; `None`, that waiting does not help."""

    def __init__(self, message: str, wait: timedelta | None) -> None:
        super().__init__(message)
        self.wait = wait


def in_words(wait: timedelta) -> str:
    """How long, as people say it and never too short: `40 seconds`, `15 minutes`, `3 hours`."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    if seconds < MINUTE:
        return _counted(seconds, "second")
    if seconds <= 2 * HOUR:
        return _counted(math.ceil(seconds / MINUTE), "minute")
    return _counted(math.ceil(seconds / HOUR), "hour")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"
