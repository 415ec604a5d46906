"""What lies in the inbox."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from advancia.core.db import Session
from advancia.webhooks.models import WebhookEvent


@dataclass(frozen=True)
class StoredEvent:
    """An event that waits to be applied."""

    id: int
    provider: str
    kind: str
    object_id: str | None


def event(session: Session, event_id: int) -> StoredEvent:
    """Raises `LookupError` if there is none of that id."""
    row = session.execute(
        select(WebhookEvent.id, WebhookEvent.provider, WebhookEvent.kind, WebhookEvent.object_id).where(
            WebhookEvent.id == event_id
        )
    ).first()
    if row is None:
        raise LookupError(f"There is no webhook event {event_id}.")
    return StoredEvent(*row)
