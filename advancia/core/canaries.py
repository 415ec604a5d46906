"""Canaries: the people of the launch check, who sign up, pay in and send like anybody else, and are nobody.

They are told from customers by their address alone. It lies under a name of which RFC 2606 promises that nobody will
ever have it, so no stranger can prove such an address and become one. Whatever counts customers leaves them out.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

DOMAIN = "canary.example"
NAME = "Canary (launch check)"


def address_of(local: str) -> str:
    """The canary's address of that name."""
    return f"{local}@{DOMAIN}"


def is_canary(email: str) -> bool:
    """Whether that is the address of a canary."""
    return email.lower().endswith(f"@{DOMAIN}")


def are_canaries(email: Any) -> ColumnElement[bool]:
    """The same as SQL, of a column that holds addresses in lower case."""
    matched: ColumnElement[bool] = email.like(f"%@{DOMAIN}")
    return matched
