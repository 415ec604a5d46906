"""Signs of life of the processes that nobody calls: worker, relay and clock."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model, Session
from advancia.core.types import Timestamp

PROCESSES: Final = ("worker", "relay", "clock")
EVERY_SECONDS = 10.0
SILENT_AFTER = timedelta(seconds=45)
FORGOTTEN_AFTER = timedelta(hours=1)


class Heartbeat(Model):
    """When a process was last heard; each that runs has its row, by its host and process id."""

    __tablename__ = "heartbeat"

    process: Mapped[str] = mapped_column(Text, primary_key=True)
    instance: Mapped[str] = mapped_column(Text, primary_key=True)
    started_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    seen_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


def beat(session: Session, *, process: str) -> None:
    """Say that this process lives."""
    session.execute(
        insert(Heartbeat)
        .values(process=process, instance=f"{socket.gethostname()}:{os.getpid()}")
        .on_conflict_do_update(
            index_elements=[Heartbeat.process, Heartbeat.instance], set_={"seen_at": func.now()}
        )
    )


def last_beats(session: Session) -> dict[str, datetime]:
    """When a process of each kind was last heard; a kind that never was is missing."""
    rows = session.execute(
        select(Heartbeat.process, func.max(Heartbeat.seen_at).label("seen_at")).group_by(Heartbeat.process)
    )
    return {each.process: each.seen_at for each in rows}


def forget_the_gone(session: Session) -> None:
    """Delete the rows of processes that ended long ago."""
    session.execute(delete(Heartbeat).where(Heartbeat.seen_at < func.now() - FORGOTTEN_AFTER))
