"""Stopping all postings, in the database itself."""

from __future__ import annotations

import time

from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

LONGEST_WAIT = text("select set_config('lock_timeout', '2s', true)")
FREEZE = text("select ledger.freeze(:on)")
IS_FROZEN = text("select ledger.is_frozen()")


class StillPosting(RuntimeError):
    """A posting that began before does not come to an end, so the books do not stand still yet."""


def freeze(session: Session, *, on: bool, patience: float = 30.0) -> None:
    """Stop or release all postings, committed on a connection of its own; what has begun is waited for. Repeatable.

    New postings queue behind it for at most two seconds at a time. Raises `StillPosting` after `patience` seconds.
    """
    until = time.monotonic() + patience
    while not _switched(session, on=on):
        if time.monotonic() > until:
            raise StillPosting(
                "A posting that began before does not come to an end, so money could not be paused. "
                "Look for a transaction that is left open, and try again."
            )


def _switched(session: Session, *, on: bool) -> bool:
    """Switch it; false when a posting that has begun did not end in time."""
    with Session(session.get_bind()) as own:
        own.execute(LONGEST_WAIT)
        if own.scalar(IS_FROZEN) == on:
            return True
        try:
            own.execute(FREEZE, {"on": on})
        except DBAPIError as trouble:
            if not isinstance(trouble.orig, LockNotAvailable):
                raise
            return False
        own.commit()
        return True


def is_frozen(session: Session) -> bool:
    """Whether all postings are stopped."""
    return bool(session.scalar(IS_FROZEN))
