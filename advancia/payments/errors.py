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


class WasRolledBack(DomainError):
    """The deposit's credit was rolled back, so the customer has nothing of it to give back."""

    def __init__(self) -> None:
        super().__init__(
            "This deposit was rolled back, so nothing of it is the customer's. Give it back on the provider's own "
            "pages; what happens there is noted here."
        )


class OnlyWhole(DomainError):
    """The provider gives a crypto payment back as a whole alone."""

    def __init__(self) -> None:
        super().__init__("A crypto payment can only be given back whole.")


class AddressNeeded(DomainError):
    """Coins go to an address, and none was given."""

    def __init__(self) -> None:
        super().__init__("Enter the address that the coins go to.")


class Disputed(DomainError):
    """The payer's bank disputes a payment that lies in suspense."""

    def __init__(self) -> None:
        super().__init__(
            "The payer's bank disputes this payment. It stays in suspense until that is decided."
        )


class CreditDisputed(DomainError):
    """The payer's bank disputes a payment whose credit out of suspense is to be rolled back, or has taken it."""

    def __init__(self) -> None:
        super().__init__(
            "The payer's bank disputes this payment, or has taken it back, so its credit stays as it is."
        )


class OnItsWayBack(DomainError):
    """Of a payment in suspense a part is on its way back to the payer."""

    def __init__(self) -> None:
        super().__init__("A part of this payment is on its way back. Wait for how that ends.")


class RefundTooLarge(DomainError):
    """More than was paid, less what was refunded and disputed before. `left` is how much may be."""

    def __init__(self, left: Money) -> None:
        super().__init__(f"At most {left} of this payment can still be refunded.")
        self.left = left


class RefundAlreadyAsked(DomainError):
    """The form of the refund was sent before with another amount or address."""

    def __init__(self) -> None:
        super().__init__("This form has been sent before, with other details. Nothing was done now.")


class AlreadyDecided(DomainError):
    """The payment in suspense has been credited or returned before."""

    def __init__(self) -> None:
        super().__init__("Somebody has decided about this payment already.")


class WrongCheckout(Exception):
    """A checkout or invoice does not belong to the deposit that it names. For staff: nothing is credited by guess."""


class NotYet(Exception):
    """Something came before what it follows, such as a refund before its payment: try again later."""
