"""Taking an event in, and writing down what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from advancia import audit
from advancia.core import context, outbox
from advancia.core.context import Actor
from advancia.core.db import Session, table_of
from advancia.core.driver import one_row
from advancia.core.errors import DomainError, NotFound
from advancia.core.jobs import Job
from advancia.webhooks.models import WebhookEvent, WebhookTry

# The others may carry secrets, and say nothing that we would ask for later.
KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Request-ID")
LONGEST_TEXT = 500
LARGEST_ID = 2**63 - 1

_EVENTS = table_of(WebhookEvent)
# The event and its row in the outbox (as `outbox.put` would write it) in one round trip; null if it is there already.
_STORE = """
    with stored as (
        insert into webhook_event (provider, event_id, kind, object_id, headers, body, verification)
        values (%s, %s, %s, %s, %s::jsonb, %s, %s) on conflict (provider, event_id) do nothing returning id
    ), asked_for as (
        insert into outbox (kind, lane, payload, request_id)
        select %s, %s, jsonb_build_object('event_id', id), %s from stored
    )
    select (select id from stored)
"""
_SETTLE = (
    update(_EVENTS)
    .where(_EVENTS.c.id == bindparam("settled"))
    .values(state=bindparam("state"), outcome=bindparam("outcome"), settled_at=func.now())
)
_SETTLE_APPLIED = """
    update webhook_event set state = 'applied', outcome = told.outcome, settled_at = now()
    from unnest(%s::bigint[], %s::text[]) told (id, outcome) where webhook_event.id = told.id
"""


class NothingToPark(NotFound):
    def __init__(self) -> None:
        super().__init__("It has been applied, so there is nothing to put aside.")


class NotParked(DomainError):
    def __init__(self) -> None:
        super().__init__("This event is not parked any more. Look at what became of it.")


@dataclass(frozen=True)
class Arrived:
    """A verified event on its way into the inbox. `verification` tells how we know that it is the provider's."""

    provider: str
    event_id: str
    kind: str
    object_id: str | None
    verification: str


def receive(session: Session, *, event: Arrived, body: bytes, headers: Mapping[str, str]) -> bool:
    """Store a verified event and ask for its job, both or neither; false when we have it already.

    An event that was parked is tried anew when its provider sends it again.
    """
    kept = json.dumps({name: headers[name] for name in KEPT_HEADERS if name in headers})
    row = (event.provider, event.event_id, event.kind, event.object_id, kept, body, event.verification)
    work = (Job.APPLY_WEBHOOK.value, int(outbox.lane_of(Job.APPLY_WEBHOOK)), context.request_id.get())
    [event_id] = one_row(session, _STORE, row + work)
    if event_id is None:
        _try_parked_again(session, event)
    return event_id is not None


def settle(session: Session, event_id: int, *, state: str, outcome: str) -> None:
    """Write down that the event was `applied`, `ignored` or `parked`, and in a few words why."""
    told = {"settled": event_id, "state": state, "outcome": outcome[:LONGEST_TEXT]}
    session.connection().execute(_SETTLE, told)


def settle_applied(session: Session, outcomes: Mapping[int, str]) -> None:
    """Write down of many events at once that they were `applied`, and in a few words what that did."""
    words = [outcome[:LONGEST_TEXT] for outcome in outcomes.values()]
    session.connection().exec_driver_sql(_SETTLE_APPLIED, (list(outcomes), words))


def wait_for(session: Session, event_id: int, *, payment_id: str, outcome: str) -> None:
    """Park an event until what is to become of the payment that it is about has been decided."""
    settle(session, event_id, state="parked", outcome=outcome)
    session.execute(update(WebhookEvent).where(WebhookEvent.id == event_id).values(payment_id=payment_id))


def settle_waiting(session: Session, *, provider: str, payment_id: str, note: str) -> None:
    """Nothing is left to do about the events that are parked for that payment: its lot is decided."""
    session.execute(
        update(WebhookEvent)
        .where(
            WebhookEvent.state == "parked",
            WebhookEvent.provider == provider,
            WebhookEvent.payment_id == payment_id,
        )
        .values(
            state="applied",
            outcome=func.left(func.concat(note, " ", WebhookEvent.outcome), LONGEST_TEXT),
            settled_at=func.now(),
        )
    )


def note_failure(session: Session, event_id: int, *, attempt: int, error: str) -> None:
    """Write down a try that came to nothing."""
    session.execute(insert(WebhookTry).values(event_id=event_id, attempt=attempt, error=error[:LONGEST_TEXT]))
    session.execute(update(WebhookEvent).where(WebhookEvent.id == event_id).values(attempts=attempt))


def replay(session: Session, *, event_id: int, actor: Actor | None = None) -> None:
    """Apply an event once more, whatever became of it; harmless, since the provider is asked anew.

    What had become of it stays written there until something new has. Raises `NotFound`. Without an actor it is a
    command of whoever runs the server.
    """
    row = session.scalar(
        update(WebhookEvent)
        .where(WebhookEvent.id == _within(event_id))
        .values(state="received", settled_at=None, payment_id=None)
        .returning(WebhookEvent.id)
    )
    if row is None:
        raise NotFound
    if actor is None:
        audit.record_of_system(session, action="webhook.replayed", kind="webhook", id=event_id)
    else:
        audit.record(session, actor, action="webhook.replayed", kind="webhook", id=event_id)
    outbox.put(session, Job.APPLY_WEBHOOK, event_id=event_id)


def park(session: Session, *, event_id: int, actor: Actor, reason: str) -> None:
    """Put an event aside that has not been applied, with the reason. Raises `NothingToPark`."""
    row = session.scalar(
        update(WebhookEvent)
        .where(WebhookEvent.id == _within(event_id), WebhookEvent.state != "applied")
        .values(state="parked", outcome=reason[:LONGEST_TEXT], settled_at=func.now())
        .returning(WebhookEvent.id)
    )
    if row is None:
        raise NothingToPark
    audit.record(session, actor, action="webhook.parked", kind="webhook", id=event_id, reason=reason)


def close(session: Session, *, event_id: int, actor: Actor, reason: str) -> None:
    """Settle a parked event about which nothing is left to do, with the reason. Raises `NotParked`."""
    row = session.scalar(
        update(WebhookEvent)
        .where(WebhookEvent.id == _within(event_id), WebhookEvent.state == "parked")
        .values(state="applied", outcome=f"Settled by staff: {reason}"[:LONGEST_TEXT], settled_at=func.now())
        .returning(WebhookEvent.id)
    )
    if row is None:
        raise NotParked
    audit.record(session, actor, action="webhook.settled", kind="webhook", id=event_id, reason=reason)


def _within(event_id: int) -> int:
    """The id, or one that nothing has where it is larger than any can be."""
    return event_id if event_id <= LARGEST_ID else -1


def _try_parked_again(session: Session, event: Arrived) -> None:
    parked = session.scalar(
        select(WebhookEvent.id)
        .where(
            WebhookEvent.provider == event.provider,
            WebhookEvent.event_id == event.event_id,
            WebhookEvent.state == "parked",
        )
        .with_for_update()
    )
    if parked is not None:
        session.execute(
            update(WebhookEvent).where(WebhookEvent.id == parked).values(state="received", settled_at=None)
        )
        outbox.put(session, Job.APPLY_WEBHOOK, event_id=parked)
