"""The rooms of the staff pages, as the navigation offers them.

A new page: a package beside this module with a blueprint of its own, registered in `views`, and a line here.
"""

from __future__ import annotations

from dataclasses import dataclass

from advancia.core.permissions import Permission, permissions_of


@dataclass(frozen=True)
class Room:
    """Where the navigation leads. `key` follows a `g` on the keyboard; without a permission it is open to all staff.

    Rooms of one group stand below its words.
    """

    words: str
    endpoint: str
    key: str
    permission: Permission | None = None
    group: str = ""

    @property
    def beginning(self) -> str:
        """What the endpoints of all its pages begin with."""
        return self.endpoint.rpartition(".")[0] + "."


MONEY, MACHINE, HOUSE = "Money", "Machinery", "House"

ROOMS = (
    Room("Home", "admin.home", "h"),
    Room("Customers", "admin.customers.index", "c", Permission.SEE_CUSTOMERS, MONEY),
    Room("Transactions", "admin.transactions.index", "t", Permission.SEE_TRANSACTIONS, MONEY),
    Room("Payments", "admin.payments.index", "m", Permission.SEE_TRANSACTIONS, MONEY),
    Room("Approvals", "admin.approvals.index", "p", Permission.APPROVE, MONEY),
    Room("Reconciliation", "admin.reconciliation.index", "r", Permission.RECONCILE, MONEY),
    Room("Alarms", "admin.alarms.index", "x", Permission.RECONCILE, MACHINE),
    Room("Health", "admin.health.index", "e", Permission.RECONCILE, MACHINE),
    Room("Webhooks", "admin.inbox.index", "w", Permission.RECONCILE, MACHINE),
    Room("Work", "admin.work.index", "b", Permission.RECONCILE, MACHINE),
    Room("Clock", "admin.clock.index", "k", Permission.RECONCILE, MACHINE),
    Room("Backups", "admin.backups.index", "u", Permission.BACKUPS, MACHINE),
    Room("Audit trail", "admin.trail.index", "a", Permission.SEE_AUDIT, HOUSE),
    Room("Staff", "admin.staff.index", "s", Permission.ROLES, HOUSE),
    Room("Lockdown", "admin.lockdown.index", "d", Permission.LOCKDOWN, HOUSE),
    Room("Launch check", "admin.launch.index", "l", Permission.SETTINGS, HOUSE),
)


def rooms_for(role: str) -> list[Room]:
    """The rooms that somebody of that role may enter, in their order."""
    granted = permissions_of(role)
    return [room for room in ROOMS if room.permission is None or room.permission in granted]
