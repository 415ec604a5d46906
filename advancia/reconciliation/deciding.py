"""What staff decide: who looks after a difference, how it is resolved, and who signs a run off.

The database holds as well that nobody signs off a run that they asked for, or in which they resolved something.
"""

from __future__ import annotations

from sqlalchemy import exists, func, select

from advancia import audit, ledger
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.reconciliation import corrections, keeping, queries, runs
from advancia.reconciliation.corrections import Correction
from advancia.reconciliation.errors import (
    AlreadyClosed,
    AlreadySignedOff,
    NotOver,
    NotStaff,
    OwnResolution,
    OwnRun,
    ReasonNeeded,
    SameResolution,
    SameSignOff,
    SignedOffByYou,
)
from advancia.reconciliation.models import ReconciliationDifference as Difference
from advancia.reconciliation.models import ReconciliationFinding as Finding
from advancia.reconciliation.models import ReconciliationRun as Run


def assign(session: Session, *, actor: Actor, difference_id: int, user_id: int | None) -> None:
    """Give a difference to a member of staff, or to nobody. Raises `AlreadyClosed`, `NotStaff`."""
    if user_id is not None and user_id not in {each.id for each in queries.colleagues(session)}:
        raise NotStaff
    difference = _open_one(session, difference_id)
    if difference.assigned_to == user_id:
        return
    before = difference.assigned_to
    difference.assigned_to, difference.state = user_id, "open" if user_id is None else "assigned"
    session.flush()
    audit.record(
        session,
        actor,
        action="difference.assigned",
        kind="difference",
        id=difference_id,
        before={"assigned_to": before},
        after={"assigned_to": user_id},
    )


def explain(session: Session, *, actor: Actor, difference_id: int, reason: str) -> None:
    """Close a difference that is none, or that was put right elsewhere.

    Raises `SignedOffByYou`, and `AlreadyClosed`, of which a double click is a `SameResolution`.
    """
    _resolve(session, actor, difference_id, reason, correction=None)


def post(
    session: Session, *, actor: Actor, difference_id: int, correction: Correction, reason: str
) -> ledger.Posted:
    """Put a difference right by a posting between accounts of the house, once. Raises as `explain` does."""
    _resolve(session, actor, difference_id, reason, correction=correction)
    return ledger.post(
        session,
        reference=corrections.reference_of(difference_id),
        kind="reconciliation",
        postings=[correction.posting],
        meta={"difference": difference_id, "reason": reason},
    )


def sign_off(session: Session, *, actor: Actor, run_id: int, note: str | None) -> None:
    """Take responsibility for a run, once, as a second person; with something open in it, only with a reason.

    Raises `NotOver`, `AlreadySignedOff` (`SameSignOff` for a double click), `OwnRun`, `OwnResolution`, `ReasonNeeded`.
    """
    run = session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound("There is no such run.")
    _hold_differences(session, run_id)
    if (run.signed_off_by, run.note) == (actor.user_id, note or None):
        raise SameSignOff
    _check_signer(session, run, actor)
    open_ones = queries.open_in(session, run_id)
    if (open_ones or run.state == "alarm") and not note:
        raise ReasonNeeded
    run.signed_off_by, run.signed_off_at, run.note = actor.user_id, func.now(), note or None
    session.flush()
    audit.record(
        session,
        actor,
        action="reconciliation.signed_off",
        kind="reconciliation",
        id=run_id,
        after={"verdict": run.state, "open": open_ones},
        reason=note or None,
    )


def _hold_differences(session: Session, run_id: int) -> None:
    """Let whoever resolves one of the run's differences at this moment come first, or wait."""
    session.execute(
        select(Difference.id)
        .where(keeping.seen_in(run_id))
        .order_by(Difference.id)
        .with_for_update(read=True)
    )


def _check_signer(session: Session, run: Run, actor: Actor) -> None:
    if run.state in ("running", "failed"):
        raise NotOver
    if run.signed_off_by is not None:
        raise AlreadySignedOff
    if run.asked_by == actor.user_id:
        raise OwnRun
    if actor.user_id in queries.resolvers_in(session, run.id):
        raise OwnResolution


def _resolve(
    session: Session, actor: Actor, difference_id: int, reason: str, *, correction: Correction | None
) -> None:
    difference = _locked(session, difference_id)
    if (difference.resolved_by, difference.reason) == (actor.user_id, reason):
        raise SameResolution
    _check_open(difference)
    if _signed_off_one(session, difference_id, actor.user_id):
        raise SignedOffByYou
    difference.state, difference.closed_at = "resolved", func.now()
    difference.resolved_by, difference.reason = actor.user_id, reason
    difference.posting = None if correction is None else corrections.reference_of(difference_id)
    session.flush()
    after = {"state": "resolved", "key": difference.key, "posting": difference.posting}
    if correction is not None:
        after |= {
            "from": correction.source, "to": correction.destination, "amount": str(correction.amount),
        }  # fmt: skip
    audit.record(
        session, actor, action="difference.resolved", kind="difference", id=difference_id, after=after, reason=reason
    )  # fmt: skip
    runs.fall_silent(session)


def _open_one(session: Session, difference_id: int) -> Difference:
    difference = _locked(session, difference_id)
    _check_open(difference)
    return difference


def _check_open(difference: Difference) -> None:
    if difference.state not in ("open", "assigned"):
        raise AlreadyClosed


def _locked(session: Session, difference_id: int) -> Difference:
    difference = (
        session.get(Difference, difference_id, with_for_update=True, populate_existing=True)
        if difference_id <= queries.LARGEST_ID
        else None
    )
    if difference is None:
        raise NotFound("There is no such difference.")
    return difference


def _signed_off_one(session: Session, difference_id: int, user_id: int) -> bool:
    """Whether that person has signed off a run which found the difference."""
    signed = select(Run.id).join(Finding, Finding.run_id == Run.id)
    return bool(
        session.scalar(
            select(exists(signed.where(Finding.difference_id == difference_id, Run.signed_off_by == user_id)))
        )
    )
