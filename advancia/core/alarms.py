"""What must not go unheard: a proof that failed, a backup that was missed, books and provider that disagree.

An alarm is open until its condition has passed (`clear`) or a person has dealt with it (`silence`). While one is
open, the same trouble is counted on it; a new one is mailed to whoever runs the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Integer, Text, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core import log, outbox
from advancia.core.db import Model, Session
from advancia.core.jobs import Job
from advancia.core.types import Timestamp

LONGEST_WORDS = 1000
MOST_OPEN = 200

_log = log.logger(__name__)


class Alarm(Model):
    """One trouble, `what` with `about` what, from its first time until it is over."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("uq_alarm_open", "what", "about", unique=True, postgresql_where=text("over_at IS NULL")),
        Index("ix_alarm_last_at", "last_at"),
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
    # Nobody's when the condition has passed by itself.
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


def sound(session: Session, *, what: str, about: str = "", words: str, is_critical: bool = True) -> bool:
    """Sound an alarm, or count it on the one that is open; tell whether it is new, and then mailed.

    `what` is a name like `backup.missed`, `about` what it is about where there may be several. Repeatable.
    """
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
    row = session.execute(
        update(Alarm)
        .where(Alarm.what == what, Alarm.about == about, Alarm.over_at.is_(None))
        .values(over_at=func.now())
        .returning(Alarm.id)
    )
    return row.first() is not None


def silence(session: Session, *, alarm_id: int, user_id: int, reason: str) -> str | None:
    """End an alarm by the word of somebody who has dealt with it; give what it was, None if it is over already."""
    return session.scalar(
        update(Alarm)
        .where(Alarm.id == alarm_id, Alarm.over_at.is_(None))
        .values(over_at=func.now(), silenced_by=user_id, reason=reason)
        .returning(Alarm.what)
    )


def open_alarms(session: Session) -> list[OpenAlarm]:
    """Those that are open, the latest first."""
    rows = session.execute(
        select(
            Alarm.id, Alarm.what, Alarm.about, Alarm.words, Alarm.is_critical, Alarm.times,
            Alarm.first_at, Alarm.last_at,
        )
        .where(Alarm.over_at.is_(None))
        .order_by(Alarm.last_at.desc(), Alarm.id.desc())
        .limit(MOST_OPEN)
    )  # fmt: skip
    return [OpenAlarm(*row) for row in rows]
