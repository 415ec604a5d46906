"""How long a session lasts: shorter for staff, who can do more harm with it (OWASP ASVS 5.0, 7.3)."""

from __future__ import annotations

from datetime import timedelta

from advancia.core.permissions import is_staff

IDLE = timedelta(hours=1)
IDLE_OF_STAFF = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=24)
ABSOLUTE_OF_STAFF = timedelta(hours=12)


def idle(role: str) -> timedelta:
    """How long nobody may have used it."""
    return IDLE_OF_STAFF if is_staff(role) else IDLE


def absolute(role: str) -> timedelta:
    """How long it lasts at most, however much it is used."""
    return ABSOLUTE_OF_STAFF if is_staff(role) else ABSOLUTE
