"""What the clock looks at each minute: recurring work that does not end, and whatever gave up. Both sound alarms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from advancia.core import alarms, runs
from advancia.core.db import Session
from advancia.core.outbox import OutboxRow
from advancia.core.recurring import TABLE, Line
from advancia.core.runs import Runs
from advancia.ops import lockdown
from advancia.ops.backups import letters
from advancia.webhooks.models import WebhookEvent
from worker import queue as bell

# Besides the time that the job may take: for its turn to come, and for some tries.
PATIENCE = timedelta(minutes=15)
HOW_LETTERS = "flask --app wsgi backup letters"
COUNTED = 1000  # of what gave up; more than that is told as such


def look(session: Session, now: datetime, table: Sequence[Line] = TABLE) -> None:
    """Have alarms stand for exactly what is wrong now; what a lockdown keeps waiting is not. Repeatable."""
    stopped = lockdown.state(session).lockdown
    lifted_at = lockdown.lifted_at(session)
    for line in table:
        found = runs.runs_of(session, line.job)
        words = _what_failed(line, found)
        if words is None and not (stopped and stopped.stops(line.job.value)):
            words = _what_does_not_end(line, found, now, lifted_at)
        alarms.follow(session, what="clock.failed", about=line.job.value, words=words)
    alarms.follow(session, what="work.parked", words=_what_gave_up(session))


def _what_failed(line: Line, found: Runs) -> str | None:
    if found.parked is None:
        return None
    tries, why = found.parked.attempts, _why(found.parked.last_error)
    return f"“{line.words}” has failed {tries} times and was given up. {why}"


def _what_does_not_end(line: Line, found: Runs, now: datetime, lifted_at: datetime | None) -> str | None:
    """What was put before a lockdown ended has had its time only from then on."""
    if found.open is None:
        return None
    allowed = timedelta(seconds=bell.longest(line.job.value)) + PATIENCE
    if now - max(found.open.put_at, lifted_at or found.open.put_at) <= allowed:
        return None
    put_at = f"{found.open.put_at:%-d %B at %H:%M} UTC"
    return f"“{line.words}” was to run on {put_at} and has not ended. {_why(found.open.last_error)}"


def _why(error: str | None) -> str:
    return f"Its last trouble: {error}" if error else "Is the worker running?"


def _what_gave_up(session: Session) -> str | None:
    held = _count(session, OutboxRow.id, *letters.are_held())
    work = _count(session, OutboxRow.id, OutboxRow.parked_at.is_not(None), OutboxRow.done_at.is_(None)) - held
    events = _count(session, WebhookEvent.id, WebhookEvent.state == "parked")
    told = [
        _counted(work, "piece of background work", "pieces of background work"),
        _counted(events, "event of a provider", "events of providers"),
    ]
    parked = " and ".join(filter(None, told))
    words = [f"{parked} gave up and wait for somebody to look, under Work and Webhooks."] if parked else []
    if held:
        words.append(
            f"{_counted(held, 'letter', 'letters')} of before a restore wait for a word: {HOW_LETTERS}."
        )
    return " ".join(words) or None


def _count(session: Session, column: InstrumentedAttribute[int], *those: object) -> int:
    some = select(text("1")).select_from(column.class_).where(*those).limit(COUNTED).subquery()  # type: ignore[arg-type]
    return session.scalar(select(func.count()).select_from(some)) or 0


def _counted(number: int, one: str, many: str) -> str:
    if number == 0:
        return ""
    return f"{number}{' or more' if number == COUNTED else ''} {one if number == 1 else many}"
