"""What lies in the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select

from advancia.core.db import Session, table_of
from advancia.core.errors import NotFound
from advancia.webhooks.models import WebhookEvent, WebhookTry

PAGE_SIZE = 50
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class StoredEvent:
    """An event that waits to be applied."""

    id: int
    provider: str
    kind: str
    object_id: str | None
    state: str


@dataclass(frozen=True)
class EventRow:
    """An event as the inbox lists it."""

    id: int
    provider: str
    kind: str
    object_id: str | None
    state: str
    outcome: str | None
    received_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True)
class FailedTry:
    attempt: int
    error: str
    tried_at: datetime


@dataclass(frozen=True)
class EventDetail:
    """An event with all that we know of it."""

    row: EventRow
    verification: str | None
    headers: dict[str, str]
    body: str
    payment_id: str | None
    tries: Sequence[FailedTry]


_ROW = (
    WebhookEvent.id, WebhookEvent.provider, WebhookEvent.kind, WebhookEvent.object_id, WebhookEvent.state,
    WebhookEvent.outcome, WebhookEvent.received_at, WebhookEvent.settled_at,
)  # fmt: skip

_BODIES = "select id, provider, kind, body from webhook_event where id = any(%s)"
_EVENTS = table_of(WebhookEvent).c
_STORED = select(_EVENTS.id, _EVENTS.provider, _EVENTS.kind, _EVENTS.object_id, _EVENTS.state).where(
    _EVENTS.id == bindparam("wanted")
)


def event(session: Session, event_id: int) -> StoredEvent:
    """Raises `LookupError` if there is none of that id."""
    row = session.connection().execute(_STORED, {"wanted": event_id}).first()
    if row is None:
        raise LookupError(f"There is no webhook event {event_id}.")
    return StoredEvent(*row)


def arrival_of(session: Session, *, provider: str, kind: str, object_id: str) -> datetime | None:
    """When the first event of that kind about that thing came in; None if none has."""
    came: datetime | None = session.scalar(
        select(func.min(WebhookEvent.received_at)).where(
            WebhookEvent.provider == provider, WebhookEvent.kind == kind, WebhookEvent.object_id == object_id
        )
    )
    return came


def bodies(session: Session, event_ids: list[int]) -> dict[int, tuple[str, str, bytes]]:
    """By their ids, of which provider and kind these events are, and what they brought; unknown ids are left out."""
    rows = session.connection().exec_driver_sql(_BODIES, (event_ids,))
    return {event_id: (provider, kind, body) for event_id, provider, kind, body in rows}


def inbox(
    session: Session,
    *,
    provider: str | None = None,
    kind: str | None = None,
    state: str | None = None,
    before: int | None = None,
    size: int = PAGE_SIZE,
) -> list[EventRow]:
    """Events, the newest first, below the id `before`; `kind` may end in `*`."""
    wanted = select(*_ROW).order_by(WebhookEvent.id.desc()).limit(size)
    if provider:
        wanted = wanted.where(WebhookEvent.provider == provider)
    if kind:
        wanted = wanted.where(
            WebhookEvent.kind.startswith(kind.removesuffix("*"), autoescape=True)
            if kind.endswith("*")
            else WebhookEvent.kind == kind
        )
    if state:
        wanted = wanted.where(WebhookEvent.state == state)
    if before is not None:
        wanted = wanted.where(WebhookEvent.id < before)
    return [EventRow(*row) for row in session.execute(wanted)]


def detail(session: Session, event_id: int) -> EventDetail:
    """Raises `NotFound`."""
    found = session.get(WebhookEvent, event_id) if event_id <= LARGEST_ID else None
    if found is None:
        raise NotFound
    tries = session.execute(
        select(WebhookTry.attempt, WebhookTry.error, WebhookTry.tried_at)
        .where(WebhookTry.event_id == event_id)
        .order_by(WebhookTry.id)
    )
    return EventDetail(
        row=EventRow(
            found.id, found.provider, found.kind, found.object_id, found.state, found.outcome,
            found.received_at, found.settled_at,
        ),
        verification=found.verification,
        headers=found.headers,
        body=bytes(found.body).decode(errors="replace"),
        payment_id=found.payment_id,
        tries=[FailedTry(*row) for row in tries],
    )  # fmt: skip


def counts(session: Session) -> dict[tuple[str, str], int]:
    """How many events there are of each kind and state; the kinds that we do not act on are among them."""
    rows = session.execute(
        select(WebhookEvent.kind, WebhookEvent.state, func.count()).group_by(
            WebhookEvent.kind, WebhookEvent.state
        )
    )
    return {(kind, state): number for kind, state, number in rows}
