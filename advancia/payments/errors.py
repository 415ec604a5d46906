"""Refusals of payments, in words for the customer."""

from __future__ import annotations

from advancia.core.errors import DomainError


class AmountOutOfRange(DomainError):
    """Less or more than can be paid in at once."""


class AlreadyAsked(DomainError):
    """The form was sent before with another amount, such as after going back from the payment page."""

    def __init__(self) -> None:
        super().__init__(
            "This form has been sent before, with another amount. Send it again to pay in this one."
        )


class WrongCheckout(Exception):
    """A checkout does not belong to the deposit that it names. For staff: nothing is credited by guess."""
