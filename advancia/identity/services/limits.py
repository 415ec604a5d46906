"""Counting tries in the database, so that neither a lost cache nor a race gets anybody past a limit.

A try is counted, and the count committed, before what it brings is looked at: it counts as a failure until it is
given back. Any number of tries at once cannot pass a limit together, since those of one key take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, or_, select

from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.errors import LimitReached
from advancia.identity.errors import TooManyTries
from advancia.identity.models import CountedTry


@dataclass(frozen=True)
class Limit:
    """`allowed` tries under one key within any `window`; without a window, in a row until they are forgotten.

    `what` names the counter in the database. With `lock`, whoever has used up the window waits that long from the last
    try, instead of until the first one is old enough.
    """

    what: str
    allowed: int
    window: timedelta | None
    lock: timedelta | None = None
    refusal: Callable[[timedelta | None], LimitReached] = TooManyTries

    @property
    def remembered_for(self) -> timedelta | None:
        """How long a try has to be kept; `None` is until it is forgotten."""
        return None if self.window is None else self.window + (self.lock or timedelta())


Counter = tuple[Limit, str]


def take(session: Session, *counters: Counter) -> list[int]:
    """Count one try under each of the counters, a limit and whose it is, and return the ids to give it back by.

    Raises the limit's refusal, a `LimitReached`, when one of them is used up. Then none is counted, so that a refused
    try does not prolong the wait.
    """
    for name in sorted(f"limit:{limit.what}:{key}" for limit, key in counters):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
    now = utcnow()
    for limit, key in counters:
        _refuse_if_used_up(session, limit, key, now)
    return [_count(session, limit, key, now) for limit, key in counters]


def give_back(session: Session, tries: Sequence[int]) -> None:
    """Those tries were good ones after all, and count no longer."""
    session.execute(delete(CountedTry).where(CountedTry.id.in_(tries)))


def forget(session: Session, *counters: Counter) -> None:
    """Begin those counters anew."""
    whose = [(CountedTry.what == limit.what) & (CountedTry.key == key) for limit, key in counters]
    session.execute(delete(CountedTry).where(or_(*whose)))


def count(session: Session, limit: Limit, key: str) -> int:
    """How many tries are counted there now."""
    since = utcnow() - limit.window if limit.window else None
    return len(_newest(session, limit, key, since))


def _count(session: Session, limit: Limit, key: str, now: datetime) -> int:
    kept = limit.remembered_for
    values = {"what": limit.what, "key": key, "tried_at": now, "expires_at": now + kept if kept else None}
    number: int = session.execute(insert(CountedTry).values(**values).returning(CountedTry.id)).scalar_one()
    return number


def _refuse_if_used_up(session: Session, limit: Limit, key: str, now: datetime) -> None:
    since = now - limit.remembered_for if limit.remembered_for else None
    tries = _newest(session, limit, key, since)
    if len(tries) < limit.allowed:
        return
    if limit.window is None:
        raise limit.refusal(None)
    newest, oldest = tries[0], tries[-1]
    wait = (newest + limit.lock if limit.lock else oldest + limit.window) - now
    if newest - oldest <= limit.window and wait > timedelta():
        raise limit.refusal(wait)


def _newest(session: Session, limit: Limit, key: str, since: datetime | None) -> Sequence[datetime]:
    """When the last tries were, the newest first, and no more of them than are allowed."""
    chosen = select(CountedTry.tried_at).where(CountedTry.what == limit.what, CountedTry.key == key)
    if since is not None:
        chosen = chosen.where(CountedTry.tried_at > since)
    return session.scalars(chosen.order_by(CountedTry.tried_at.desc()).limit(limit.allowed)).all()
