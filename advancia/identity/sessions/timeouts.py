"""How long a session lasts: shorter for staff, who can do more harm with it (OWASP ASVS 5.0, 7.3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func

from advancia.core.permissions import Role, is_staff
from advancia.identity.models import User, UserSession

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


def ends_at() -> ColumnElement[datetime]:
    """When a session has ended or will end, for queries that join its person.

    By the person's role of today, not by that of the sign-in.
    """
    return func.least(
        UserSession.ended_at,  # when it is none, the others decide
        UserSession.expires_at,
        UserSession.created_at + _by_role(absolute),
        UserSession.last_used_at + _by_role(idle),
    )


def _by_role(timeout: Callable[[str], timedelta]) -> ColumnElement[timedelta]:
    return case({role.value: timeout(role) for role in Role}, value=User.role)
