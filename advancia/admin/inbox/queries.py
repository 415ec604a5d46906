"""One event for staff: its tries and replays in their order, and whether it is gone through at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from advancia import audit
from advancia.admin.inbox.words import plain
from advancia.admin.payments import suspense_queries
from advancia.core.db import Session
from advancia.core.versions import version_of
from advancia.identity import queries as identity
from advancia.webhooks import queries as webhooks
from advancia.webhooks.queries import EventDetail

MOST_LINES = 50
REPLAYED = "webhook.replayed"


@dataclass(frozen=True)
class Try:
    """A try that came to nothing, or the wish for another one: which, when, and why or by whom."""

    what: str
    when: datetime
    words: str


@dataclass(frozen=True)
class Shown:
    """An event as its page shows it."""

    event: EventDetail
    tries: Sequence[Try]
    was_replayed: bool
    stray_id: int | None

    @property
    def is_under_way(self) -> bool:
        return self.event.row.state == "received"

    @property
    def is_again(self) -> bool:
        """Whether something had become of it before, and it is gone through once more."""
        return self.is_under_way and self.event.row.outcome is not None

    @property
    def outcome(self) -> str:
        return plain(self.event.row.outcome)

    @property
    def version(self) -> str:
        """Changes whenever the page would show something else."""
        row = self.event.row
        return version_of(row.state, row.outcome, row.settled_at, len(self.tries), self.stray_id)


def shown(session: Session, event_id: int) -> Shown:
    """Raises `NotFound`."""
    event = webhooks.detail(session, event_id)
    replays = _replays(session, event_id)
    failed = [Try(str(each.attempt), each.tried_at, each.error) for each in event.tries]
    return Shown(
        event=event,
        tries=sorted([*failed, *replays], key=lambda each: each.when),
        was_replayed=bool(replays),
        stray_id=suspense_queries.stray_id_of(
            session, provider=event.row.provider, payment_id=event.payment_id
        ),
    )


def _replays(session: Session, event_id: int) -> list[Try]:
    lines = audit.records_of(session, kind="webhook", id=event_id, limit=MOST_LINES)
    asked = [line for line in lines if line.action == REPLAYED]
    people = identity.people(session, {line.actor_id for line in asked if line.actor_id})
    return [
        Try(
            "Replay",
            line.recorded_at,
            f"Asked for by {people[line.actor_id].name}." if line.actor_id in people else "By command.",
        )
        for line in asked
    ]
