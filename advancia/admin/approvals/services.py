"""Asking for a second person, and deciding. Nobody decides on what they asked for; the database holds it as well."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from advancia import audit
from advancia.admin.approvals.errors import AlreadyAsked, AlreadyDecided, NotYours, OwnApproval
from advancia.admin.approvals.models import Approval
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound


class Kind(StrEnum):
    ROLLBACK = "rollback"
    REFUND = "refund"
    STRAY_CREDIT = "stray_credit"
    STRAY_RETURN = "stray_return"


class Decision(StrEnum):
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


def ask(
    session: Session, *, actor: Actor, kind: Kind, subject: str, terms: Mapping[str, Any], reason: str
) -> UUID:
    """Ask for a second person; return the approval's id. The same person's second click finds the first one.

    Raises `AlreadyAsked` when somebody else's request about the same thing is open.
    """
    asked = session.scalar(
        insert(Approval)
        .values(kind=kind, subject=subject, terms=dict(terms), reason=reason, asked_by=actor.user_id)
        .on_conflict_do_nothing(
            index_elements=[Approval.kind, Approval.subject], index_where=Approval.state == "open"
        )
        .returning(Approval.id)
    )
    if asked is None:
        return _open_one(session, actor, kind, subject)
    audit.record(
        session,
        actor,
        action=f"{kind}.asked",
        kind="approval",
        id=asked,
        after={"subject": subject, **terms},
        reason=reason,
    )
    approval_id: UUID = asked
    return approval_id


def decide(session: Session, *, actor: Actor, approval_id: UUID, decision: Decision, words: str) -> Approval:
    """Decide, at most once, and return the approval, locked until the caller commits.

    Raises `AlreadyDecided`, `OwnApproval` for the asker's grant or refusal, `NotYours` for another's withdrawal.
    """
    approval = session.get(Approval, approval_id, with_for_update=True, populate_existing=True)
    if approval is None:
        raise NotFound("There is no such request.")
    if approval.state != "open":
        raise AlreadyDecided
    is_own = approval.asked_by == actor.user_id
    if decision is Decision.WITHDRAWN and not is_own:
        raise NotYours
    if decision is not Decision.WITHDRAWN and is_own:
        raise OwnApproval
    approval.state, approval.decision = decision, words
    approval.decided_by, approval.decided_at = actor.user_id, utcnow()
    session.flush()
    _note(session, actor, approval)
    return approval


def _note(session: Session, actor: Actor, approval: Approval) -> None:
    audit.record(
        session,
        actor,
        action=f"{approval.kind}.{approval.state}",
        kind="approval",
        id=approval.id,
        before={"state": "open", "asked_by": approval.asked_by},
        after={"state": approval.state, "subject": approval.subject},
        reason=approval.decision,
    )


def _open_one(session: Session, actor: Actor, kind: Kind, subject: str) -> UUID:
    there = session.execute(
        select(Approval.id, Approval.asked_by).where(
            Approval.kind == kind, Approval.subject == subject, Approval.state == "open"
        )
    ).one_or_none()
    if there is None or there.asked_by != actor.user_id:
        raise AlreadyAsked
    approval_id: UUID = there.id
    return approval_id
