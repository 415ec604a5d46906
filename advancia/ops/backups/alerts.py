"""What must not go unheard of backups: that one failed, that one was missed, that one has an odd size."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from advancia.core import alarms, recurring
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity.models import User
from advancia.ops.backups import queries
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.models import Backup

FAILED = "backup.failed"
MISSED = "backup.missed"
SIZE = "backup.size"

TO_MAKE_ONE = timedelta(hours=2)
LONGEST_WITHOUT = timedelta(days=1) + TO_MAKE_ONE
LARGEST_CHANGE = 0.25
LEAST_CHANGE = 1024 * 1024  # bytes; a quarter of less than four times that tells nothing


def tell_of_failure(session: Session, words: str) -> None:
    """Sound the alarm that no backup was made; the next one that is done ends it."""
    alarms.sound(session, what=FAILED, words=f"No backup was made. {words}")


def watch_size(session: Session, told: Manifest, *, before: Backup | None) -> None:
    """Sound the alarm when a backup is over a quarter larger or smaller than the one before; end it when it is not.

    A difference of less than a mebibyte is none.
    """
    if before is None or not before.stored_bytes:
        return
    change = told.stored_bytes / before.stored_bytes - 1
    is_little = abs(told.stored_bytes - before.stored_bytes) < LEAST_CHANGE
    if is_little or abs(change) <= LARGEST_CHANGE:
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


def watch_time(session: Session, now: datetime | None = None) -> bool:
    """Sound the alarm when no backup was completed in time; tell whether one is missing.

    That is 26 hours after the last one. Where there never was any, it is two hours after the first night that the
    product, which is as old as its first person, has seen.
    """
    last, now = queries.last_done(session), now or utcnow()
    due = last.begun_at + LONGEST_WITHOUT if last else _first_due(session)
    if due is None or now <= due:
        alarms.clear(session, what=MISSED)
        return False
    words = (
        f"The last complete backup is from {last.begun_at.astimezone(UTC):%d %B %Y, %H:%M UTC}."
        if last
        else "There has never been a complete backup."
    )
    alarms.sound(
        session, what=MISSED, words=f"{words} Look at the staff page Backups for what stands in the way."
    )
    return True


def _first_due(session: Session) -> datetime | None:
    """By when the very first backup has to be there; None as long as nobody uses the product."""
    began = session.scalar(select(func.min(User.created_at)))
    if began is None:
        return None
    return recurring.line_of(Job.BACK_UP).next_turn(began.astimezone(UTC)) + TO_MAKE_ONE
