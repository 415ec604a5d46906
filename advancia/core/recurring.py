"""All recurring work, one line each. `worker.schedule` is the clock that puts it; all times are UTC.

A turn is a moment at which a line is due. The clock remembers the last turn of each line that it put, so that it knows
what it has missed while it was away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from croniter import croniter
from sqlalchemy import Text, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core import outbox
from advancia.core.db import Model, Session
from advancia.core.jobs import Job
from advancia.core.types import Timestamp

# A turn that is put later than this was missed. A restart of the clock takes seconds, and one of a server minutes.
IN_TIME = timedelta(minutes=15)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Line:
    """Run `job` whenever `when` (minute hour day month weekday, UTC) has come. `words` tell staff what it is for."""

    job: Job
    when: str
    words: str = ""

    def last_turn(self, now: datetime) -> datetime:
        """The latest moment at or before `now` at which this line was due."""
        turn: datetime = (
            croniter(self.when, now).get_prev(datetime) if not croniter.match(self.when, now) else now
        )
        return turn.replace(second=0, microsecond=0)

    def next_turn(self, now: datetime) -> datetime:
        """The first moment after `now` at which this line is due."""
        turn: datetime = croniter(self.when, now).get_next(datetime)
        return turn

    def key_of(self, turn: datetime) -> str:
        """What makes a turn one piece of work, however often it is put."""
        return f"{self.job.value}@{turn:%Y-%m-%dT%H:%M}"

    @property
    def rhythm(self) -> str:
        """When it runs, as people say it; what has no such words stands as it is."""
        minute, hour, day, month, weekday = self.when.split()
        if (day, month) != ("*", "*"):
            return self.when
        if hour == weekday == "*":
            return _within_the_hour(minute)
        if not (minute.isdecimal() and hour.isdecimal()):
            return self.when
        at = f"at {int(hour):02}:{int(minute):02} UTC"
        if weekday == "*":
            return f"Every day {at}"
        return f"Every {WEEKDAYS[int(weekday)]} {at}" if weekday.isdecimal() else self.when


TABLE = (
    Line(Job.EXPIRE_DEPOSITS, "* * * * *", "Close deposits whose time is over"),
    Line(Job.CHASE_PAYMENTS, "*/10 * * * *", "Ask about refunds and disputes that do not end"),
    Line(Job.ROLL_UP_LEDGER, "* * * * *", "Sum up the house's accounts"),
    Line(Job.SEAL_LEDGER, "* * * * *", "Seal the ledger"),
    Line(Job.SWEEP, "17 * * * *", "Delete what has served its purpose"),
    Line(Job.CHECK_LEDGER, "*/10 * * * *", "Prove what came since the last check"),
    Line(Job.BACK_UP, "30 1 * * *", "Make the day's backup"),
    Line(Job.PRUNE_BACKUPS, "30 4 * * *", "Take away backups that are old enough"),
    Line(Job.WATCH_BACKUPS, "23 * * * *", "Look whether a backup was missed"),
    Line(Job.PROVE_LEDGER, "0 2 * * *", "Prove all of the ledger"),
    Line(Job.RECONCILE, "0 3 * * *", "Hold the books against themselves and the providers'"),
    Line(Job.PROVE_BACKUP, "30 3 * * 0", "Restore the newest backup beside the product and prove it"),
)


def line_of(job: Job) -> Line:
    """The line that has this job run."""
    return next(line for line in TABLE if line.job is job)


class ClockLine(Model):
    """What the clock remembers of a line: since when it knows it, and the last turn that it put."""

    __tablename__ = "clock_line"

    job: Mapped[str] = mapped_column(Text, primary_key=True)
    known_since: Mapped[Timestamp]
    turn: Mapped[Timestamp | None]


@dataclass(frozen=True)
class Turn:
    """A turn of a line that has come and was not put yet, with how late the clock is for it.

    `late` tells how long ago the first turn was that was not put: longer than this one, if several were missed.
    """

    line: Line
    at: datetime
    late: timedelta

    @property
    def was_missed(self) -> bool:
        return self.late > IN_TIME


def turns_due(session: Session, now: datetime, table: Sequence[Line] = TABLE) -> list[Turn]:
    """The turns that have come and were not put, one for each line at most: what was missed is caught up once."""
    known = {
        row.job: row for row in session.execute(select(ClockLine.job, ClockLine.known_since, ClockLine.turn))
    }
    due = []
    for line in table:
        at, memory = line.last_turn(now), known.get(line.job.value)
        if memory is not None and memory.turn == at:
            continue
        # Nobody can have missed what came before there was anybody to put it.
        since = now if memory is None else memory.turn or memory.known_since
        due.append(Turn(line, at, late=max(now - line.next_turn(since), timedelta())))
    return due


def put(session: Session, turn: Turn, now: datetime) -> bool:
    """Put a turn, with the caller's unit of work, and remember it; false when it was put before."""
    session.execute(
        insert(ClockLine)
        .values(job=turn.line.job.value, known_since=now, turn=turn.at)
        .on_conflict_do_update(index_elements=[ClockLine.job], set_={"turn": turn.at})
    )
    return outbox.put_once(session, turn.line.job, unique_key=turn.line.key_of(turn.at))


def _within_the_hour(minute: str) -> str:
    every = minute.removeprefix("*/")
    if minute == "*":
        return "Every minute"
    if minute.isdecimal():
        return f"Every hour at {int(minute)} minutes past"
    return f"Every {every} minutes" if every.isdecimal() else minute
