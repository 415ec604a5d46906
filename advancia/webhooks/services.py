"""Taking an event in, and writing down what became of it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from advancia.core import outbox
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.providers.stripe import Event
from advancia.webhooks.models import WebhookEvent

KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Request-ID")


def receive(
    session: Session, *, provider: str, event: Event, body: bytes, headers: Mapping[str, str]
) -> bool:
    """Store a verified event and ask for its job, both or neither; false when we have it already."""
    event_id = session.scalar(
        insert(WebhookEvent)
        .values(
            provider=provider,
            event_id=event.id,
            kind=event.type,
            object_id=event.object_id,
            headers={name: headers[name] for name in KEPT_HEADERS if name in headers},
            body=body,
        )
        .on_conflict_do_nothing(index_elements=[WebhookEvent.provider, WebhookEvent.event_id])
        .returning(WebhookEvent.id)
    )
    if event_id is None:
        return False
    outbox.put(session, Job.APPLY_WEBHOOK, event_id=event_id)
    return True


def settle(session: Session, event_id: int, *, state: str, outcome: str) -> None:
    """Write down that the event was `applied`, `ignored` or `parked`, and in a few words why."""
    session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id == event_id)
        .values(state=state, outcome=outcome[:500], settled_at=func.now())
    )
