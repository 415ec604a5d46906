"""What waits behind the parts: work by its kind, events of providers, processes, and how large the database is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select, text

from advancia.core import alarms, heartbeats
from advancia.core.alarms import OpenAlarm
from advancia.core.db import Session
from advancia.core.heartbeats import Living
from advancia.core.outbox import OutboxRow
from advancia.core.versions import version_of
from advancia.ops.health import Health
from advancia.ops.parts import Part
from advancia.webhooks.models import WebhookEvent

MEGABYTE = 1024 * 1024
COUNTED = 10_000  # of anything that may be large; more than that is told as such


@dataclass(frozen=True)
class Queue:
    """Work of one kind that is not done: `due` could begin now, `failing` waits for its next try."""

    kind: str
    due: int
    running: int
    failing: int
    later: int
    parked: int


@dataclass(frozen=True)
class Inbox:
    """Events of providers that wait, and that gave up."""

    received: int
    parked: int


@dataclass(frozen=True)
class Board:
    """All that the page shows."""

    parts: list[Part]
    queues: Sequence[Queue]
    inbox: Inbox
    processes: Sequence[Living]
    alarms: Sequence[OpenAlarm]
    megabytes: int

    @property
    def version(self) -> str:
        """What stands for what is seen: figures that run on, such as ages to the second, are not."""
        return version_of(
            [(part.key, part.state, part.words) for part in self.parts],
            self.queues, self.inbox, self.megabytes,
            [(each.process, each.instance, each.is_silent) for each in self.processes],
            [(each.id, each.times) for each in self.alarms],
        )  # fmt: skip


def board(session: Session, health: Health) -> Board:
    return Board(
        parts=health.parts,
        queues=queues(session),
        inbox=Inbox(received=_events(session, "received"), parked=_events(session, "parked")),
        processes=heartbeats.living(session),
        alarms=alarms.open_alarms(session),
        megabytes=session.scalars(text("SELECT pg_database_size(current_database())")).one() // MEGABYTE,
    )


def queues(session: Session) -> Sequence[Queue]:
    """By kind, the longest first."""
    is_parked, is_due = OutboxRow.parked_at.is_not(None), OutboxRow.available_at <= func.now()
    state = case(
        (is_parked, "parked"),
        (OutboxRow.handed_at.is_not(None), "running"),
        (is_due, "due"),
        (OutboxRow.attempts > 0, "failing"),
        else_="later",
    ).label("state")
    # Each half has an index of its own.
    is_open = OutboxRow.done_at.is_(None)
    open_rows = select(OutboxRow.kind, state).where(is_open, OutboxRow.parked_at.is_(None)).limit(COUNTED)
    parked_rows = select(OutboxRow.kind, state).where(is_open, is_parked).limit(COUNTED)
    some = open_rows.union_all(parked_rows).subquery()
    counted = [
        func.count().filter(some.c.state == each).label(each)
        for each in ("due", "running", "failing", "later", "parked")
    ]
    rows = session.execute(select(some.c.kind, *counted).group_by(some.c.kind).order_by(func.count().desc()))
    return [Queue(*row) for row in rows]


def _events(session: Session, state: str) -> int:
    some = select(WebhookEvent.id).where(WebhookEvent.state == state).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0
