"""What must not go unheard: a proof that failed, a backup that was missed, books and provider that disagree.

An alarm stands until its condition has passed (`clear`). While it stands, the same trouble is counted on it; a new one
is mailed to whoever runs the place. A person who deals with it may `silence` it, which keeps it quiet for a day: if the
trouble is still there then, it is a new alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Identity,
    Index,
    Integer,
    Row,
    Text,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core import log, outbox
from advancia.core.db import Model, Session
from advancia.core.jobs import Job
from advancia.core.types import Timestamp

LONGEST_WORDS = 1000
MOST_OPEN = 200
QUIET_FOR = timedelta(days=1)
KEPT = timedelta(days=365)  # after it is over

_log = log.logger(__name__)


class Alarm(Model):
    """One trouble, `what` with `about` what, from its first time until it is over.

    `over_at` is when its condition had passed. Whoever silenced it, did so before that.
    """

    __tablename__ = "alarm"
    __table_args__ = (
        CheckConstraint(
            "(silenced_at IS NULL) = (silenced_by IS NULL) AND (silenced_at IS NULL) = (reason IS NULL)",
            name="silenced_by_somebody_with_a_reason",
        ),
        Index("uq_alarm_open", "what", "about", unique=True, postgresql_where=text("over_at IS NULL")),
        Index("ix_alarm_over_at", "over_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    what: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text, server_default=text("''"))
    words: Mapped[str] = mapped_column(Text)
    is_critical: Mapped[bool] = mapped_column(server_default=text("true"))
    times: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    first_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    last_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    over_at: Mapped[Timestamp | None]
    silenced_at: Mapped[Timestamp | None]
    silenced_by: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True)
class OpenAlarm:
    """An alarm that nobody has dealt with."""

    id: int
    what: str
    about: str
    words: str
    is_critical: bool
    times: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class AlarmRow(OpenAlarm):
    """An alarm, open or not, with what became of it."""

    over_at: datetime | None
    silenced_at: datetime | None
    silenced_by: int | None
    reason: str | None

    @property
    def state(self) -> str:
        if self.over_at is not None:
            return "over"
        return "silenced" if self.silenced_at is not None else "open"


_OPEN = (
    Alarm.id, Alarm.what, Alarm.about, Alarm.words, Alarm.is_critical, Alarm.times, Alarm.first_at, Alarm.last_at,
)  # fmt: skip
_ROW = (*_OPEN, Alarm.over_at, Alarm.silenced_at, Alarm.silenced_by, Alarm.reason)


def sound(session: Session, *, what: str, about: str = "", words: str, is_critical: bool = True) -> bool:
    """Sound an alarm, or count it on the one that stands; tell whether it is new, and then mailed.

    `what` is a name like `backup.missed`, `about` what it is about where there may be several. Repeatable.
    """
    _end(session, what, about, Alarm.silenced_at < func.now() - QUIET_FOR)
    row = session.execute(
        insert(Alarm)
        .values(what=what, about=about, words=words[:LONGEST_WORDS], is_critical=is_critical)
        .on_conflict_do_update(
            index_elements=[Alarm.what, Alarm.about],
            index_where=Alarm.over_at.is_(None),
            set_={"words": words[:LONGEST_WORDS], "times": Alarm.times + 1, "last_at": func.now()},
        )
        .returning(Alarm.id, Alarm.times)
    ).one()
    if row.times > 1:
        return False
    _log.error("alarm", what=what, about=about, words=words)
    outbox.put(session, Job.TELL_OF_ALARM, alarm_id=row.id)
    return True


def clear(session: Session, *, what: str, about: str = "") -> bool:
    """End the alarm, since what it was about has passed; tell whether there was one."""
    return _end(session, what, about)


def follow(session: Session, *, what: str, about: str = "", words: str | None) -> None:
    """Have an alarm stand exactly as long as there is something to say: for what is looked at again and again.

    The words are counted only where they change, so that looking often makes no noise.
    """
    if words is None:
        clear(session, what=what, about=about)
    elif _standing_words(session, what, about) != words[:LONGEST_WORDS]:
        sound(session, what=what, about=about, words=words)


def silence(session: Session, *, alarm_id: int, user_id: int, reason: str) -> str | None:
    """Keep an alarm quiet by the word of somebody who deals with it; give what it was, None if it is not open."""
    return session.scalar(
        update(Alarm)
        .where(Alarm.id == alarm_id, *_are_open())
        .values(silenced_at=func.now(), silenced_by=user_id, reason=reason)
        .returning(Alarm.what)
    )


def open_alarms(session: Session) -> list[OpenAlarm]:
    """Those that are open, the latest first."""
    rows = session.execute(
        select(*_OPEN).where(*_are_open()).order_by(Alarm.last_at.desc(), Alarm.id.desc()).limit(MOST_OPEN)
    )
    return [OpenAlarm(*row) for row in rows]


def open_count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Alarm).where(*_are_open())) or 0


def standing(session: Session) -> set[str]:
    """What there is trouble about, silenced or not."""
    return set(session.scalars(select(Alarm.what).where(Alarm.over_at.is_(None)).distinct()))


def alarms(session: Session, *, before: int | None, limit: int) -> list[AlarmRow]:
    """All that ever were, the newest first, with numbers below `before`."""
    chosen = select(*_ROW).order_by(Alarm.id.desc()).limit(limit)
    return _rows(session.execute(chosen if before is None else chosen.where(Alarm.id < before)).all())


def alarm(session: Session, alarm_id: int) -> AlarmRow | None:
    return next(iter(_rows(session.execute(select(*_ROW).where(Alarm.id == alarm_id)).all())), None)


def forget_the_old(session: Session) -> None:
    """Delete what has been over for a year."""
    session.execute(delete(Alarm).where(Alarm.over_at < func.now() - KEPT))


def _rows(rows: Sequence[Row[*tuple[object, ...]]]) -> list[AlarmRow]:
    return [AlarmRow(*row) for row in rows]  # type: ignore[arg-type]  # the columns are those of `_ROW`


def _are_open() -> tuple[ColumnElement[bool], ...]:
    return Alarm.over_at.is_(None), Alarm.silenced_at.is_(None)


def _standing_words(session: Session, what: str, about: str) -> str | None:
    """The words of the alarm that stands and is not to be sounded anew yet."""
    is_quiet_for_too_long = func.coalesce(Alarm.silenced_at < func.now() - QUIET_FOR, False)
    return session.scalar(
        select(Alarm.words).where(
            Alarm.what == what, Alarm.about == about, Alarm.over_at.is_(None), ~is_quiet_for_too_long
        )
    )


def _end(session: Session, what: str, about: str, *those: ColumnElement[bool]) -> bool:
    row = session.execute(
        update(Alarm)
        .where(Alarm.what == what, Alarm.about == about, Alarm.over_at.is_(None), *those)
        .values(over_at=func.now())
        .returning(Alarm.id)
    )
    return row.first() is not None
