"""Whether the parts answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis, RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from advancia.config import Settings
from advancia.core.db import Session
from advancia.core.outbox import OutboxRow

LATE_SECONDS = 60
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Part:
    """One part of the product: whether it works, in words, and whether nothing works without it."""

    name: str
    ok: bool
    words: str
    needed: bool = True


def parts(session: Session, settings: Settings) -> list[Part]:
    """Look at every part now. Never raises: a part that does not answer is a part that is down."""
    return [
        _looked_at("Database", lambda: _database(session)),
        _looked_at("Cache", lambda: _cache(settings)),
        _looked_at("Background work", lambda: _work(session), needed=False),
    ]


def _looked_at(name: str, look: Callable[[], tuple[bool, str]], *, needed: bool = True) -> Part:
    try:
        ok, words = look()
    except (SQLAlchemyError, RedisError, OSError):
        ok, words = False, "Not answering"
    return Part(name, ok, words, needed)


def _database(session: Session) -> tuple[bool, str]:
    session.execute(text("SELECT 1"))
    return True, "Working"


def _cache(settings: Settings) -> tuple[bool, str]:
    patience = {"socket_connect_timeout": PATIENCE_SECONDS, "socket_timeout": PATIENCE_SECONDS}
    with Redis.from_url(settings.redis_url, **patience) as redis:
        redis.ping()
    return True, "Working"


def _work(session: Session) -> tuple[bool, str]:
    """Late when something that is due has waited for more than a minute."""
    waited = session.scalar(
        select(func.extract("epoch", func.now() - func.min(OutboxRow.available_at))).where(
            OutboxRow.done_at.is_(None), OutboxRow.parked_at.is_(None), OutboxRow.available_at <= func.now()
        )
    )
    if waited is not None and waited > LATE_SECONDS:
        return False, f"Late by {int(waited // 60)} minutes"
    return True, "Working"
