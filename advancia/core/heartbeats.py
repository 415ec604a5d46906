"""Signs of life of the processes that nobody calls: worker, relay and clock.

Each of them beats from within the loop that does its work, and only there: no thread does it for them. So silence means
that the process has ended, that its loop hangs, or that it reaches the queue or the database no more; whichever it is,
the work is not being done.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core import log
from advancia.core.db import Model, Session, unit_of_work
from advancia.core.types import Timestamp

PROCESSES: Final = ("worker", "relay", "clock")
EVERY_SECONDS = 10.0
SILENT_AFTER = timedelta(seconds=45)
FORGOTTEN_AFTER = timedelta(hours=1)

_log = log.logger(__name__)


class Heartbeat(Model):
    """When a process was last heard; each that runs has its row, by its host and process id."""

    __tablename__ = "heartbeat"

    process: Mapped[str] = mapped_column(Text, primary_key=True)
    instance: Mapped[str] = mapped_column(Text, primary_key=True)
    started_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    seen_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


@dataclass(frozen=True)
class Living:
    """One process that was heard within the hour."""

    process: str
    instance: str
    started_at: datetime
    seen_at: datetime
    is_silent: bool


class Pulse:
    """The beats of this process: its loop calls `beat` as often as it likes, every ten seconds one is written down.

    Trouble with the database is logged and outlived: who cannot say that they live is taken for silent, rightly.
    Call it within an app context, and outside of any unit of work.
    """

    def __init__(self, process: str, *, every: float = EVERY_SECONDS) -> None:
        self._process = process
        self._every = every
        self._next = time.monotonic()
        self._is_first = True

    def beat(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        try:
            with unit_of_work() as session:
                beat(session, process=self._process, is_first=self._is_first)
            self._is_first = False
        except SQLAlchemyError as trouble:
            _log.warning("heartbeat_lost", process=self._process, trouble=type(trouble).__name__)

    def stop(self) -> None:
        """Say that this process ends as it was told to, so that nobody looks for it."""
        try:
            with unit_of_work() as session:
                session.execute(delete(Heartbeat).where(*_is_ours(self._process)))
        except SQLAlchemyError as trouble:
            _log.warning("heartbeat_lost", process=self._process, trouble=type(trouble).__name__)


def beat(session: Session, *, process: str, is_first: bool = False) -> None:
    """Say that this process lives; `is_first`, that it has only just begun to."""
    seen = {"seen_at": func.now(), **({"started_at": func.now()} if is_first else {})}
    session.execute(
        insert(Heartbeat)
        .values(process=process, instance=_instance())
        .on_conflict_do_update(index_elements=[Heartbeat.process, Heartbeat.instance], set_=seen)
    )


def last_beats(session: Session) -> dict[str, datetime]:
    """When a process of each kind was last heard; a kind that never was, or ended as it was told to, is missing."""
    rows = session.execute(
        select(Heartbeat.process, func.max(Heartbeat.seen_at).label("seen_at")).group_by(Heartbeat.process)
    )
    return {each.process: each.seen_at for each in rows}


def ages(session: Session) -> dict[str, timedelta]:
    """For how long no process of each kind was heard, by the database's clock; as `last_beats`."""
    rows = session.execute(
        select(Heartbeat.process, (func.now() - func.max(Heartbeat.seen_at)).label("age")).group_by(
            Heartbeat.process
        )
    )
    return {each.process: each.age for each in rows}


def living(session: Session) -> list[Living]:
    """Every process that was heard within the hour, by kind, the longest running first."""
    is_silent = Heartbeat.seen_at < func.now() - SILENT_AFTER
    rows = session.execute(
        select(Heartbeat.process, Heartbeat.instance, Heartbeat.started_at, Heartbeat.seen_at, is_silent)
        .where(Heartbeat.seen_at >= func.now() - FORGOTTEN_AFTER)
        .order_by(Heartbeat.process, Heartbeat.started_at)
    )
    return [Living(*row) for row in rows]


def forget_the_gone(session: Session) -> None:
    """Delete the rows of processes that ended long ago, but for the last of each kind."""
    last = select(func.max(Heartbeat.seen_at)).group_by(Heartbeat.process)
    session.execute(
        delete(Heartbeat).where(
            Heartbeat.seen_at < func.now() - FORGOTTEN_AFTER, Heartbeat.seen_at.not_in(last)
        )
    )


def _is_ours(process: str) -> tuple[ColumnElement[bool], ...]:
    return Heartbeat.process == process, Heartbeat.instance == _instance()


def _instance() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
