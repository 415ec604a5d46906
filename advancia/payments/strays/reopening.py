"""A credit out of suspense that staff roll back: the money lies in suspense again, and waits for them anew."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import exists, select

from advancia import audit, ledger
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.ledger.links import links_of
from advancia.payments.errors import CreditDisputed
from advancia.payments.models import Deposit, Dispute, StrayPayment
from advancia.payments.strays import references
from advancia.payments.strays.services import LOOKED_AT


def reopen(session: Session, *, actor: Actor, undone: ledger.Transaction, reason: str) -> None:
    """Have the payment wait again whose credit is about to be rolled back; nothing for any other transaction.

    Call it before the reversal, in the same unit of work: it locks the payment before accounts are. Repeatable, since
    a credit that has been undone already is left alone. Raises `CreditDisputed`.
    """
    stray = _credited_by(session, undone.reference)
    if stray is None or links_of(session, [undone.id])[undone.id].reversed_by is not None:
        return
    if _is_disputed(session, stray):
        raise CreditDisputed
    before = {"user_id": stray.user_id}
    stray.state, stray.user_id, stray.resolved_at, stray.resolved_by = "open", None, None, None
    if stray.deposit_id is not None:
        _wait_again(session.get_one(Deposit, stray.deposit_id))
    session.flush()
    audit.record(
        session, actor, action="stray.reopened", kind="stray", id=stray.id, before=before, reason=reason
    )


def _credited_by(session: Session, reference: str) -> StrayPayment | None:
    """The payment that this transaction has credited last, locked, its deposit before it."""
    stray_id = _id_in(session, reference)
    if stray_id is None:
        return None
    deposit_id = session.scalar(select(StrayPayment.deposit_id).where(StrayPayment.id == stray_id))
    if deposit_id is not None:
        session.get(Deposit, deposit_id, with_for_update=True, populate_existing=True)
    stray = session.get(StrayPayment, stray_id, with_for_update=True, populate_existing=True)
    if stray is None or stray.state != "credited":
        return None
    return stray if references.newest_credit(session, stray) == reference else None


def _id_in(session: Session, reference: str) -> int | None:
    family, _, rest = reference.partition(":")
    name, _, step = rest.partition(":")
    if family == "stray" and name.isdecimal() and step.startswith("credit"):
        return int(name)
    if family != "deposit" or step:
        return None
    of_deposit = select(StrayPayment.id).where(
        StrayPayment.deposit_id == UUID(name), StrayPayment.state == "credited"
    )
    return session.scalar(of_deposit.limit(1))


def _is_disputed(session: Session, stray: StrayPayment) -> bool:
    """Whether a bank has taken it, or holds it: then it is not the customer's money that would come back."""
    of_payment = (Dispute.provider == stray.provider, Dispute.payment_id == stray.payment_id)
    return bool(
        session.scalar(select(exists().where(*of_payment, Dispute.state.in_(("open", "lost"))))),
    )


def _wait_again(deposit: Deposit) -> None:
    if deposit.state == "paid":
        deposit.state, deposit.failure = "locked", LOOKED_AT
        deposit.paid_at, deposit.credited = None, None
