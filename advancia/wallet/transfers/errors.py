"""Refusals of transfers, in words for the customer."""

from __future__ import annotations

from advancia.core.errors import DomainError


class UnknownRecipient(DomainError):
    def __init__(self) -> None:
        super().__init__(
            "We found nobody with that email or handle. Check it with the person you want to pay."
        )


class SendingToOneself(DomainError):
    def __init__(self) -> None:
        super().__init__("That is you. Enter somebody else's email or handle.")


class Suspended(DomainError):
    """The sender was suspended, which stops their money as well."""

    def __init__(self) -> None:
        super().__init__("Your account is suspended, so nothing was sent. Write to support.")


class ProofNeeded(DomainError):
    """So much was sent since the sender last proved who they are that they have to do so first."""

    def __init__(self) -> None:
        super().__init__("First prove that it is you.")


class AlreadySent(DomainError):
    """The form was sent before with other content, such as after going back and changing the amount."""

    def __init__(self) -> None:
        super().__init__(
            "This form has been sent before, with another amount or recipient. Start a new transfer."
        )
