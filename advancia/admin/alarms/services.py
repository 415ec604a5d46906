"""Dealing with an alarm."""

from __future__ import annotations

from advancia import audit
from advancia.core import alarms
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import DomainError


class NotOpen(DomainError):
    """It has passed, or somebody else was quicker."""

    def __init__(self) -> None:
        super().__init__("This alarm is not open any more, so there is nothing to silence.")


def silence(session: Session, *, actor: Actor, alarm_id: int, reason: str) -> None:
    """Keep an alarm quiet for a day, with a line in the audit trail. Raises `NotOpen`."""
    what = alarms.silence(session, alarm_id=alarm_id, user_id=actor.user_id, reason=reason)
    if what is None:
        raise NotOpen
    audit.record(
        session,
        actor,
        action="alarm.silenced",
        kind="alarm",
        id=alarm_id,
        after={"what": what},
        reason=reason,
    )
