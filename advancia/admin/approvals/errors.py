"""Refusals about approvals."""

from __future__ import annotations

from advancia.core.errors import DomainError


class AlreadyAsked(DomainError):
    def __init__(self) -> None:
        super().__init__("Somebody has asked for this already. It waits for a second person.")


class NeedsSecondPerson(DomainError):
    """It is too much for one person alone."""

    def __init__(self, words: str = "This is a large amount, so a second person has to approve it.") -> None:
        super().__init__(words)


class OwnApproval(DomainError):
    def __init__(self) -> None:
        super().__init__("You asked for this yourself, so somebody else has to decide.")


class NotYours(DomainError):
    def __init__(self) -> None:
        super().__init__("Somebody else asked for this, so only they can withdraw it.")


class AlreadyDecided(DomainError):
    def __init__(self) -> None:
        super().__init__("This was decided meanwhile. Look at how.")
