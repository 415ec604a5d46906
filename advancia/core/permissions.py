"""Who may do what. The one table of roles; routes, pages and tests read it, and what it does not grant is denied."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    CUSTOMER = "customer"
    SUPPORT = "support"
    FINANCE = "finance"
    ADMIN = "admin"
    OWNER = "owner"


class Permission(StrEnum):
    """What staff may be allowed to do. A customer's own wallet is not among it: staff have none."""

    SEE_CUSTOMERS = "see customers"
    SEE_TRANSACTIONS = "see transactions"
    SEE_AUDIT = "see the audit trail"
    APPROVE = "approve withdrawals, refunds and credits"
    RECONCILE = "reconcile"
    SUSPEND = "suspend and reinstate"
    END_SESSIONS = "end sessions"
    RESET_FACTOR = "start the reset of a lost second factor"
    ROLL_BACK = "roll back transactions"
    REPLAY_WEBHOOKS = "replay webhooks"
    SETTINGS = "change settings"
    LOCKDOWN = "lock down"
    ROLES = "give and take roles"
    BACKUPS = "make and restore backups"


_SUPPORT = {Permission.SEE_CUSTOMERS, Permission.SEE_TRANSACTIONS}
_FINANCE = _SUPPORT | {Permission.APPROVE, Permission.RECONCILE}
_ADMIN = _FINANCE | {
    Permission.SEE_AUDIT,
    Permission.SUSPEND,
    Permission.END_SESSIONS,
    Permission.RESET_FACTOR,
    Permission.ROLL_BACK,
    Permission.REPLAY_WEBHOOKS,
}
_OWNER = _ADMIN | {Permission.SETTINGS, Permission.LOCKDOWN, Permission.ROLES, Permission.BACKUPS}

_GRANTED: dict[str, frozenset[Permission]] = {
    Role.CUSTOMER: frozenset(),
    Role.SUPPORT: frozenset(_SUPPORT),
    Role.FINANCE: frozenset(_FINANCE),
    Role.ADMIN: frozenset(_ADMIN),
    Role.OWNER: frozenset(_OWNER),
}


def permissions_of(role: str) -> frozenset[Permission]:
    """What that role may do; nothing, if it is not a role."""
    return _GRANTED.get(role, frozenset())


def is_staff(role: str) -> bool:
    return role in _GRANTED and role != Role.CUSTOMER
