"""What must not go unheard of backups: that one failed, that one was missed, that one has an odd size."""

from __future__ import annotations

from datetime import UTC, timedelta

from sqlalchemy import func, select

from advancia.core import alarms
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.identity.models import User
from advancia.ops.backups import queries
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.models import Backup

FAILED = "backup.failed"
MISSED = "backup.missed"
SIZE = "backup.size"

LONGEST_WITHOUT = timedelta(hours=26)  # a day, and time to make one
LARGEST_CHANGE = 0.25


def tell_of_failure(session: Session, words: str) -> None:
    """Sound the alarm that no backup was made; the next one that is done ends it."""
    alarms.sound(session, what=FAILED, words=f"No backup was made. {words}")


def watch_size(session: Session, told: Manifest, *, before: Backup | None) -> None:
    """Sound the alarm when a backup is over a quarter larger or smaller than the one before; end it when it is not."""
    if before is None or not before.stored_bytes:
        return
    change = told.stored_bytes / before.stored_bytes - 1
    if abs(change) <= LARGEST_CHANGE:
        alarms.clear(session, what=SIZE)
        return
    alarms.sound(
        session,
        what=SIZE,
        words=(
            f"The backup {told.name} is {abs(change):.0%} {'larger' if change > 0 else 'smaller'} than the one before: "
            f"{told.stored_bytes:,} bytes after {before.stored_bytes:,}. Look whether that can be."
        ),
        is_critical=change < 0,
    )


def watch_time(session: Session) -> bool:
    """Sound the alarm when no backup has been completed for 26 hours; tell whether one is missing.

    A product that nobody has used for that long is given the same time.
    """
    last = queries.last_done(session)
    since = last.begun_at if last else session.scalar(select(func.min(User.created_at)))
    if since is None or utcnow() - since <= LONGEST_WITHOUT:
        alarms.clear(session, what=MISSED)
        return False
    words = (
        f"The last complete backup is from {since.astimezone(UTC):%d %B %Y, %H:%M UTC}."
        if last
        else "There has never been a complete backup."
    )
    alarms.sound(
        session, what=MISSED, words=f"{words} Look at the staff page Backups for what stands in the way."
    )
    return True
