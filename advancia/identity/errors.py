"""Refusals of identity, in words for the person."""

from __future__ import annotations

from datetime import timedelta

from advancia.core.errors import DomainError


def in_minutes(wait: timedelta) -> str:
    minutes = max(1, -(-int(wait.total_seconds()) // 60))
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


class TooManyTries(DomainError):
    """The limit on failed sign-ins is reached, for the account or for the address."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"Too many tries. Wait {in_minutes(wait)}, then try again.")
        self.wait = wait


class TooManyCodes(DomainError):
    """The limit on codes sent to one address is reached."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(
            f"We have sent several codes already. Wait {in_minutes(wait)}, then ask for a new one."
        )
        self.wait = wait
