"""What stands of somebody's second factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.identity.factors.models import AuthenticatorApp, Passkey, RecoveryCode

FEW_LEFT = 3


@dataclass(frozen=True)
class AppView:
    since: datetime
    last_used_at: datetime | None


@dataclass(frozen=True)
class PasskeyView:
    id: UUID
    name: str
    synced: bool
    since: datetime
    last_used_at: datetime | None


@dataclass(frozen=True)
class RecoveryView:
    """The codes that were last made: how many can still be used, and when one last was."""

    left: int
    made_at: datetime | None
    last_used_at: datetime | None

    @property
    def is_low(self) -> bool:
        return self.left <= FEW_LEFT


@dataclass(frozen=True)
class Factors:
    """Everything a person can prove themselves by besides the password."""

    app: AppView | None
    passkeys: Sequence[PasskeyView]
    recovery: RecoveryView

    @property
    def count(self) -> int:
        return len(self.passkeys) + (self.app is not None)


def factors_of(session: Session, user_id: int) -> Factors:
    return Factors(
        app=_app_of(session, user_id),
        passkeys=passkeys_of(session, user_id),
        recovery=_recovery_of(session, user_id),
    )


def passkeys_of(session: Session, user_id: int) -> list[PasskeyView]:
    """The person's passkeys, the oldest first."""
    rows = session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.created_at))
    return [_seen(row) for row in rows]


def passkey_of(session: Session, user_id: int, passkey_id: UUID) -> PasskeyView:
    """Raises `NotFound` when there is none, or it is somebody else's."""
    row = session.scalar(select(Passkey).where(Passkey.user_id == user_id, Passkey.id == passkey_id))
    if row is None:
        raise NotFound
    return _seen(row)


def _seen(row: Passkey) -> PasskeyView:
    return PasskeyView(row.id, row.name, row.synced, row.created_at, row.last_used_at)


def _app_of(session: Session, user_id: int) -> AppView | None:
    app = session.scalar(
        select(AuthenticatorApp).where(
            AuthenticatorApp.user_id == user_id, AuthenticatorApp.confirmed_at.is_not(None)
        )
    )
    return AppView(app.confirmed_at, app.last_used_at) if app and app.confirmed_at else None


def _recovery_of(session: Session, user_id: int) -> RecoveryView:
    row = session.execute(
        select(
            func.count().filter(RecoveryCode.used_at.is_(None)),
            func.max(RecoveryCode.created_at),
            func.max(RecoveryCode.used_at),
        ).where(RecoveryCode.user_id == user_id)
    ).one()
    return RecoveryView(*row)
