"""Refusals about reconciliations."""

from __future__ import annotations

from advancia.core.errors import DomainError


class AlreadyRunning(DomainError):
    def __init__(self) -> None:
        super().__init__("A reconciliation is at work already. Wait for its end, then ask again.")


class NotOver(DomainError):
    def __init__(self) -> None:
        super().__init__("This run has no verdict that could be signed off.")


class AlreadySignedOff(DomainError):
    def __init__(self) -> None:
        super().__init__("This run was signed off meanwhile. Look at by whom.")


class SameSignOff(AlreadySignedOff):
    """By the same person and with the same note: a double click."""


class OwnRun(DomainError):
    def __init__(self) -> None:
        super().__init__("You asked for this run yourself, so somebody else has to sign it off.")


class OwnResolution(DomainError):
    def __init__(self) -> None:
        super().__init__("You resolved a difference of this run, so somebody else has to sign it off.")


class SignedOffByYou(DomainError):
    def __init__(self) -> None:
        super().__init__("You signed off a run that has this difference, so somebody else has to resolve it.")


class ReasonNeeded(DomainError):
    def __init__(self) -> None:
        super().__init__("Something in this run is open. Say why it can be signed off all the same.")


class AlreadyClosed(DomainError):
    def __init__(self) -> None:
        super().__init__("This difference was closed meanwhile. Look at how.")


class SameResolution(AlreadyClosed):
    """By the same person and for the same reason: a double click."""


class NotStaff(DomainError):
    def __init__(self) -> None:
        super().__init__("Choose somebody of the staff who may reconcile.")


class NothingToPost(DomainError):
    def __init__(self) -> None:
        super().__init__("No amount differs here that a posting could put right.")


class SameAccount(DomainError):
    def __init__(self) -> None:
        super().__init__("Choose two different accounts.")


class AlreadySentOn(DomainError):
    def __init__(self) -> None:
        super().__init__("Nothing of this difference lies in suspense any more. Look at what became of it.")


class OwnCorrection(DomainError):
    def __init__(self) -> None:
        super().__init__(
            "You put it into suspense yourself, and it is a large amount, so somebody else has to send it on."
        )
