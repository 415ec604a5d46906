"""Rolling back, at once or after a second person's word."""

from __future__ import annotations

from uuid import UUID

from advancia import audit, ledger
from advancia.admin.approvals import services as approvals
from advancia.admin.approvals.services import Decision, Kind
from advancia.admin.rollbacks import queries
from advancia.admin.rollbacks.errors import CannotBeRolledBack, NeedsApproval
from advancia.admin.rollbacks.letters import tell_customers
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.payments.strays import reopening


def roll_back(
    session: Session, *, actor: Actor, txn_id: int, reason: str, allow_debt: bool, request_id: UUID
) -> int:
    """Undo the transaction and return the id of the one that does; equal submits of a form are one rollback.

    Raises `NeedsApproval` for what is older than a day, and what `ledger.reverse` raises, `AlreadyReversed` and
    `InsufficientFunds` among it: money that was spent is taken as a debt only if `allow_debt`.
    """
    preview = queries.preview(session, txn_id)
    reference = f"rollback:{request_id}"
    if (done := preview.links.reversed_by) is not None and done.reference == reference:
        return done.id
    if preview.is_old:
        raise NeedsApproval
    return _post(session, preview, actor=actor, reference=reference, reason=reason, allow_debt=allow_debt)


def ask(session: Session, *, actor: Actor, txn_id: int, reason: str, allow_debt: bool) -> UUID:
    """Ask a second person for the rollback; return the approval's id.

    Raises `CannotBeRolledBack`, and `AlreadyAsked` when a colleague has.
    """
    preview = queries.preview(session, txn_id)
    if preview.refusal is not None:
        raise CannotBeRolledBack(preview.refusal)
    terms = {"reference": preview.transaction.reference, "allow_debt": allow_debt}
    return approvals.ask(
        session, actor=actor, kind=Kind.ROLLBACK, subject=str(txn_id), terms=terms, reason=reason
    )


def grant(session: Session, *, actor: Actor, approval_id: UUID, words: str) -> int:
    """Roll back what a colleague has asked for, on their terms, and return the id of the new transaction.

    Raises what `approvals.decide` and `ledger.reverse` raise; then the request stays open.
    """
    approval = approvals.decide(
        session, actor=actor, approval_id=approval_id, decision=Decision.GRANTED, words=words
    )
    preview = queries.preview(session, int(approval.subject))
    return _post(
        session,
        preview,
        actor=actor,
        reference=f"rollback:{approval.id}",
        reason=approval.reason,
        allow_debt=bool(approval.terms["allow_debt"]),
        asked_by=approval.asked_by,
    )


def _post(
    session: Session,
    preview: queries.Preview,
    *,
    actor: Actor,
    reference: str,
    reason: str,
    allow_debt: bool,
    asked_by: int | None = None,
) -> int:
    undone = preview.transaction
    reopening.reopen(session, actor=actor, undone=undone, reason=reason)
    posted = ledger.reverse(
        session,
        transaction_reference=undone.reference,
        reference=reference,
        reason=reason,
        allow_debt=allow_debt,
    )
    if posted.replayed:  # the first click of a double one got here before us
        return posted.txn_id
    told = {"rollback": posted.txn_id, "rollback_reference": reference, "debt_allowed": allow_debt}
    audit.record(
        session,
        actor,
        action="transaction.rolled_back",
        kind="transaction",
        id=undone.id,
        before={"reference": undone.reference, "kind": undone.kind},
        after={**told, "asked_by": asked_by or actor.user_id},
        reason=reason,
    )
    tell_customers(session, undone=undone, rollback_reference=reference)
    return posted.txn_id
