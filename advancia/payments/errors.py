"""Refusals of payments, in words for the customer."""

from __future__ import annotations

from advancia.core.errors import DomainError


class AmountOutOfRange(DomainError):
    """Less or more than can be paid in at once."""


class WrongCheckout(Exception):
    """A checkout does not belong to the deposit that it names. For staff: nothing is credited by guess."""
