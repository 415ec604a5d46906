"""How accounts are named: whose they are, and what for. The asset comes with the amount."""

from __future__ import annotations

from typing import NamedTuple

HOUSE = 0

AVAILABLE = "available"
HELD = "held"
RECEIVABLE = "receivable"


class AccountKey(NamedTuple):
    """An account, but for its asset. `holder` is a user's id, or `HOUSE`."""

    holder: int
    purpose: str


def available(user_id: int) -> AccountKey:
    """What a customer may spend; never below zero."""
    return _customers(user_id, AVAILABLE)


def held(user_id: int) -> AccountKey:
    """What is set aside of a customer's money until something is decided; never below zero."""
    return _customers(user_id, HELD)


def receivable(user_id: int) -> AccountKey:
    """What a customer owes the house, as a negative balance."""
    return _customers(user_id, RECEIVABLE)


def house(purpose: str) -> AccountKey:
    """An account of the house: fees, treasury, promotions, rounding, suspense, equity."""
    return AccountKey(HOUSE, purpose)


def clearing(provider: str) -> AccountKey:
    """What lies at a payment provider for us, as a negative balance."""
    return AccountKey(HOUSE, f"clearing.{provider}")


def _customers(user_id: int, purpose: str) -> AccountKey:
    if user_id <= HOUSE:
        raise ValueError(f"{user_id} is not a customer's id.")
    return AccountKey(user_id, purpose)
