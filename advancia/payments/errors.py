"""Refusals of payments, in words for the person."""

from __future__ import annotations

from advancia.core.errors import DomainError
from advancia.core.money import Money


class AmountOutOfRange(DomainError):
    """Less or more than can be paid in at once."""


class NotOffered(DomainError):
    """The asset cannot be paid in by that way of paying."""

    def __init__(self) -> None:
        super().__init__("This cannot be paid in that way. Choose another way to pay.")


class AlreadyAsked(DomainError):
    """The form was sent before with another amount, such as after going back from the payment page."""

    def __init__(self) -> None:
        super().__init__(
            "This form has been sent before, with another amount. Send it again to pay in this one."
        )


class NothingToRefund(DomainError):
    """The deposit has not been paid, so there is nothing to give back."""

    def __init__(self) -> None:
        super().__init__("Only a payment that has arrived can be refunded.")


class NotRefundableHere(DomainError):
    """The provider gives money back on its own pages alone."""

    def __init__(self) -> None:
        super().__init__(
            "Crypto is given back on the provider's own pages, to an address of the payer's choice. "
            "What happens there is booked here."
        )


class RefundTooLarge(DomainError):
    """More than was paid, less what was refunded and disputed before. `left` is how much may be."""

    def __init__(self, left: Money) -> None:
        super().__init__(f"At most {left} of this payment can still be refunded.")
        self.left = left


class RefundAlreadyAsked(DomainError):
    """The form of the refund was sent before with another amount."""

    def __init__(self) -> None:
        super().__init__("This form has been sent before, with another amount. Nothing was done now.")


class AlreadyDecided(DomainError):
    """The payment in suspense has been credited or returned before."""

    def __init__(self) -> None:
        super().__init__("Somebody has decided about this payment already.")


class WrongCheckout(Exception):
    """A checkout or invoice does not belong to the deposit that it names. For staff: nothing is credited by guess."""


class NotYet(Exception):
    """Something came before what it follows, such as a refund before its payment: try again later."""
