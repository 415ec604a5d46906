"""The rooms of the staff pages, as the navigation offers them.

A new page: a package beside this module with a blueprint of its own, registered in `views`, and a line here.
"""

from __future__ import annotations

from dataclasses import dataclass

from advancia.core.permissions import Permission, permissions_of


@dataclass(frozen=True)
class Room:
    """Where the navigation leads. `key` follows a `g` on the keyboard; without a permission it is open to all staff."""

    words: str
    endpoint: str
    key: str
    permission: Permission | None = None

    @property
    def beginning(self) -> str:
        """What the endpoints of all its pages begin with."""
        return self.endpoint.rpartition(".")[0] + "."


ROOMS = (
    Room("Home", "admin.home", "h"),
    Room("Customers", "admin.customers.index", "c", Permission.SEE_CUSTOMERS),
    Room("Transactions", "admin.transactions.index", "t", Permission.SEE_TRANSACTIONS),
    Room("Payments", "admin.payments.index", "m", Permission.SEE_TRANSACTIONS),
    Room("Approvals", "admin.approvals.index", "p", Permission.APPROVE),
    Room("Reconciliation", "admin.reconciliation.index", "r", Permission.RECONCILE),
    Room("Webhooks", "admin.inbox.index", "w", Permission.RECONCILE),
    Room("Work", "admin.work.index", "b", Permission.RECONCILE),
    Room("Health", "admin.health.index", "e", Permission.RECONCILE),
    Room("Clock", "admin.clock.index", "k", Permission.RECONCILE),
    Room("Alarms", "admin.alarms.index", "x", Permission.RECONCILE),
    Room("Audit trail", "admin.trail.index", "a", Permission.SEE_AUDIT),
    Room("Staff", "admin.staff.index", "s", Permission.ROLES),
    Room("Backups", "admin.backups.index", "u", Permission.BACKUPS),
    Room("Launch check", "admin.launch.index", "l", Permission.SETTINGS),
)


def rooms_for(role: str) -> list[Room]:
    """The rooms that somebody of that role may enter, in their order."""
    granted = permissions_of(role)
    return [room for room in ROOMS if room.permission is None or room.permission in granted]
