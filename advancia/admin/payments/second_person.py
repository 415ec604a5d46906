"""Giving money back and crediting it: at once, or by a second person's word where it is much.

What counts is all that a payment would give away, so that several small refunds of one are a large one.
"""

from __future__ import annotations

from uuid import UUID

from advancia.admin.approvals import services as approvals
from advancia.admin.approvals.errors import AlreadyAsked, NeedsSecondPerson
from advancia.admin.approvals.models import Approval
from advancia.admin.approvals.queries import open_about
from advancia.admin.approvals.services import Decision, Kind
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.large_amounts import is_large
from advancia.core.money import Money, asset
from advancia.payments.refunds import services as refunds
from advancia.payments.refunds import suspense
from advancia.payments.strays import services as strays


def refund(
    session: Session,
    *,
    actor: Actor,
    deposit_id: UUID,
    amount: Money,
    reason: str,
    request_id: UUID,
    address: str | None = None,
    allow_debt: bool = False,
) -> UUID:
    """Ask the provider for a refund. Raises `NeedsSecondPerson`, and what `request_refund` raises."""
    if not refunds.is_asked(session, deposit_id=deposit_id, request_id=request_id):
        refunds.check_refund(session, deposit_id=deposit_id, amount=amount, address=address)
        if is_large(refunds.given_back(session, deposit_id) + amount):
            raise NeedsSecondPerson
    return refunds.request_refund(
        session,
        actor=actor,
        deposit_id=deposit_id,
        amount=amount,
        reason=reason,
        request_id=request_id,
        address=address,
        allow_debt=allow_debt,
    )


def ask_for_refund(
    session: Session,
    *,
    actor: Actor,
    deposit_id: UUID,
    amount: Money,
    reason: str,
    address: str | None = None,
    allow_debt: bool = False,
) -> UUID:
    """Ask a second person for it; return the approval's id. Raises `AlreadyAsked`, and what the check raises."""
    refunds.check_refund(session, deposit_id=deposit_id, amount=amount, address=address)
    terms = {**_written(amount), "address": address, "allow_debt": allow_debt}
    return approvals.ask(
        session, actor=actor, kind=Kind.REFUND, subject=str(deposit_id), terms=terms, reason=reason
    )


def credit(session: Session, *, actor: Actor, stray_id: int, user_id: int, reason: str) -> None:
    """Credit a payment in suspense. Raises `NeedsSecondPerson`, and what `strays.credit` raises."""
    stray, _ = strays.open_one(session, stray_id)
    _refuse_if_large(strays.left(stray))
    strays.credit(session, actor=actor, stray_id=stray_id, user_id=user_id, reason=reason)


def ask_for_credit(session: Session, *, actor: Actor, stray_id: int, user_id: int, reason: str) -> UUID:
    """Ask a second person for it; return the approval's id. Raises `AlreadyAsked`, and what opening it raises."""
    stray, _ = strays.open_one(session, stray_id)
    terms = {**_written(strays.left(stray)), "user_id": user_id}
    return _ask_about_stray(session, actor, Kind.STRAY_CREDIT, stray_id=stray_id, terms=terms, reason=reason)


def send_back(
    session: Session, *, actor: Actor, stray_id: int, reason: str, request_id: UUID, address: str | None
) -> UUID:
    """Send a payment in suspense back. Raises `NeedsSecondPerson`, and what `suspense.send_back` raises."""
    if not suspense.is_asked(session, stray_id=stray_id, request_id=request_id):
        _refuse_if_large(suspense.check_return(session, stray_id=stray_id, address=address))
    return suspense.send_back(
        session, actor=actor, stray_id=stray_id, reason=reason, request_id=request_id, address=address
    )


def ask_to_send_back(
    session: Session, *, actor: Actor, stray_id: int, reason: str, address: str | None
) -> UUID:
    """Ask a second person for it; return the approval's id. Raises `AlreadyAsked`, and what the check raises."""
    amount = suspense.check_return(session, stray_id=stray_id, address=address)
    terms = {**_written(amount), "address": address}
    return _ask_about_stray(session, actor, Kind.STRAY_RETURN, stray_id=stray_id, terms=terms, reason=reason)


def grant(session: Session, *, actor: Actor, approval_id: UUID, words: str) -> None:
    """Start what a colleague has asked for, on their terms and with their reason.

    Raises what `approvals.decide` and the doing raise; then the request stays open.
    """
    approval = approvals.decide(
        session, actor=actor, approval_id=approval_id, decision=Decision.GRANTED, words=words
    )
    {
        Kind.REFUND: _grant_refund,
        Kind.STRAY_CREDIT: _grant_credit,
        Kind.STRAY_RETURN: _grant_return,
    }[Kind(approval.kind)](session, actor, approval)


def amount_of(terms: dict[str, object]) -> Money:
    """How much a request is about."""
    return Money(int(str(terms["minor"])), asset(str(terms["asset"])))


def waiting_about(session: Session, stray_id: int) -> UUID | None:
    """The open request about a payment in suspense, to credit it or to send it back."""
    for kind in (Kind.STRAY_CREDIT, Kind.STRAY_RETURN):
        if (found := open_about(session, kind=kind, subject=str(stray_id))) is not None:
            return found
    return None


def _grant_refund(session: Session, actor: Actor, approval: Approval) -> None:
    refunds.request_refund(
        session,
        actor=actor,
        deposit_id=UUID(approval.subject),
        amount=amount_of(approval.terms),
        reason=approval.reason,
        request_id=approval.id,
        address=approval.terms["address"],
        allow_debt=bool(approval.terms["allow_debt"]),
        asked_by=approval.asked_by,
    )


def _grant_credit(session: Session, actor: Actor, approval: Approval) -> None:
    strays.credit(
        session,
        actor=actor,
        stray_id=int(approval.subject),
        user_id=int(approval.terms["user_id"]),
        reason=approval.reason,
        asked_by=approval.asked_by,
    )


def _grant_return(session: Session, actor: Actor, approval: Approval) -> None:
    suspense.send_back(
        session,
        actor=actor,
        stray_id=int(approval.subject),
        reason=approval.reason,
        request_id=approval.id,
        address=approval.terms["address"],
        asked_by=approval.asked_by,
    )


def _ask_about_stray(
    session: Session, actor: Actor, kind: Kind, *, stray_id: int, terms: dict[str, object], reason: str
) -> UUID:
    other = Kind.STRAY_RETURN if kind is Kind.STRAY_CREDIT else Kind.STRAY_CREDIT
    if open_about(session, kind=other, subject=str(stray_id)) is not None:
        raise AlreadyAsked
    return approvals.ask(session, actor=actor, kind=kind, subject=str(stray_id), terms=terms, reason=reason)


def _refuse_if_large(amount: Money | None) -> None:
    if amount is not None and is_large(amount):
        raise NeedsSecondPerson


def _written(amount: Money | None) -> dict[str, object]:
    if amount is None:
        raise ValueError("What holds no money cannot be asked for.")
    return {"amount": str(amount), "minor": str(amount.minor), "asset": amount.asset.code}
