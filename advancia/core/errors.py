"""Errors whose text may be shown to the person in front of the page."""

from __future__ import annotations


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
