"""Members of staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.permissions import Permission, Role, permissions_of
from advancia.identity.models import User, UserSession

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Member:
    """Somebody of staff."""

    id: int
    name: str
    email: str
    role: str
    created_at: datetime
    suspended_at: datetime | None
    second_factor_since: datetime | None
    last_used_at: datetime | None

    @property
    def permissions(self) -> list[str]:
        """What they may do, in words and in the order of the table."""
        granted = permissions_of(self.role)
        return [permission.value for permission in Permission if permission in granted]


def members(session: Session) -> Sequence[Member]:
    """All of staff, those who are suspended at the end. There are never many."""
    rows = session.execute(_all().order_by(User.suspended_at.is_not(None), User.name, User.id))
    return [Member(*row) for row in rows]


def member(session: Session, user_id: int) -> Member:
    """Raises `NotFound` for whoever is not staff."""
    row = session.execute(_all().where(User.id == user_id)).one_or_none() if user_id <= LARGEST_ID else None
    if row is None:
        raise NotFound("There is nobody of that id among staff.")
    return Member(*row)


def _all() -> Select[Any]:
    last_used = (
        select(func.max(UserSession.last_used_at)).where(UserSession.user_id == User.id).scalar_subquery()
    )
    columns: list[Any] = [
        *(User.id, User.name, User.email, User.role, User.created_at),
        *(User.suspended_at, User.second_factor_since, last_used),
    ]
    return select(*columns).where(User.role != Role.CUSTOMER)
