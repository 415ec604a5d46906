"""What has been decided about a payment in suspense, by whom and why, as the audit trail has it."""

from __future__ import annotations

from dataclasses import dataclass

from advancia import audit
from advancia.core.db import Session
from advancia.identity import queries as identity
from advancia.payments.models import StrayPayment

MOST_LINES = 20


@dataclass(frozen=True)
class Decision:
    """The newest one. `by` is None for what was no decision of staff; `asked_by` had the idea, if `by` only agreed."""

    by: str | None
    asked_by: str | None
    reason: str | None
    credited_to: str | None


def decision_about(session: Session, stray: StrayPayment) -> Decision:
    lines = audit.records_of(session, kind="stray", id=stray.id, limit=MOST_LINES)
    line = next((each for each in lines if each.action == f"stray.{stray.state}"), None)
    asker = (line.after or {}).get("asked_by") if line is not None else None
    by = line.actor_id if line is not None else stray.resolved_by
    people = identity.people(session, {each for each in (by, asker, stray.user_id) if each})

    def name(user_id: int | None) -> str | None:
        return people[user_id].name if user_id in people else None

    return Decision(
        by=name(by),
        asked_by=name(asker) if asker != by else None,
        reason=line.reason if line is not None else None,
        credited_to=name(stray.user_id),
    )
