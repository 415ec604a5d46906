"""Refunds: booked when they are asked for, sent in three steps, and undone if they fail.

The money is taken from the customer together with the wish, so that it cannot be spent meanwhile. A provider that does
not answer leaves the outcome unknown: then it is asked, by our id, and nothing is sent or given back blindly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select

from advancia import audit, ledger
from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.jobs import Job
from advancia.core.money import Money, asset
from advancia.payments import letters, offers
from advancia.payments.errors import (
    NothingToRefund,
    NotRefundableHere,
    NotYet,
    RefundAlreadyAsked,
    RefundTooLarge,
)
from advancia.payments.letters import Letter
from advancia.payments.models import Deposit, Dispute, Refund
from advancia.providers.stripe_objects import CardRefund


@dataclass(frozen=True)
class ToSend:
    """A refund for the provider. `was_sent`: it may be there already, so look before sending."""

    refund_id: UUID
    provider: str
    payment_id: str
    amount: Money
    was_sent: bool


def request_refund(
    session: Session,
    *,
    actor: Actor,
    deposit_id: UUID,
    amount: Money,
    reason: str,
    request_id: UUID,
    allow_debt: bool = False,
) -> UUID:
    """Take `amount` of a deposit back from its customer and queue the refund; equal submits are one refund.

    Money that was spent is refused (`InsufficientFunds`), or with `allow_debt` the rest becomes the customer's debt.
    Raises `NothingToRefund`, `NotRefundableHere`, `RefundTooLarge`, which tells what is left, `RefundAlreadyAsked`.
    """
    deposit = _paid(session, deposit_id)
    if deposit.provider not in offers.CARDS:
        raise NotRefundableHere
    if (earlier := _asked_before(session, deposit_id, request_id)) is not None:
        if earlier.amount != amount.minor:
            raise RefundAlreadyAsked
        return earlier.id
    left = refundable(session, deposit)
    if amount > left:
        raise RefundTooLarge(left)
    refund = Refund(
        deposit_id=deposit_id,
        request_id=request_id,
        provider=deposit.provider,
        asset=deposit.asset,
        amount=Decimal(amount.minor),
        reason=reason,
        asked_by=actor.user_id,
    )
    session.add(refund)
    session.flush()
    audit.record(
        session,
        actor,
        action="refund.requested",
        kind="refund",
        id=refund.id,
        after={"deposit": str(deposit_id), "amount": str(amount), "debt_allowed": allow_debt},
        reason=reason,
    )
    outbox.put(session, Job.SEND_REFUND, refund_id=str(refund.id))
    _book(session, refund, deposit, allow_debt=allow_debt)
    return refund.id


def refundable(session: Session, deposit: Deposit) -> Money:
    """What of a deposit can still be given back: what came, less refunds that stand and disputes that may be lost."""
    refunded = session.scalar(
        select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.deposit_id == deposit.id, Refund.state != "failed"
        )
    )
    disputed = session.scalar(
        select(func.coalesce(func.sum(Dispute.amount), 0)).where(
            Dispute.deposit_id == deposit.id, Dispute.state.in_(("open", "lost"))
        )
    )
    left = (deposit.credited or Decimal()) - Decimal(refunded or 0) - Decimal(disputed or 0)
    return Money(max(int(left), 0), asset(deposit.asset))


def claim(session: Session, refund_id: UUID) -> ToSend | None:
    """Note that the refund is about to be sent, and give what the provider needs; None once its answer is known."""
    refund = session.get(Refund, refund_id, with_for_update=True, populate_existing=True)
    if refund is None or refund.state != "asked":
        return None
    deposit = session.get_one(Deposit, refund.deposit_id)
    was_sent = refund.sent_at is not None
    refund.sent_at = func.now()
    return ToSend(refund_id, refund.provider, deposit.payment_id or "", amount_of(refund), was_sent)


def record(session: Session, refund_id: UUID, told: CardRefund) -> str:
    """Write down how our refund stands at the provider; a failure undoes what was booked. Repeatable, in any order."""
    refund = session.get(Refund, refund_id, with_for_update=True, populate_existing=True)
    if refund is None:
        raise NotFound
    refund.provider_refund_id = told.id
    if told.failed:
        return fail(session, refund, told.failure_words)
    if refund.state == "failed":
        return "refund failed before"
    refund.state = "succeeded" if told.is_done or refund.state == "succeeded" else "pending"
    if told.is_done and refund.settled_at is None:
        refund.settled_at = func.now()
    return f"refund {refund.state}"


def refuse(session: Session, refund_id: UUID, why: str) -> None:
    """The provider has said no, and there is no such refund there: undo what was booked."""
    refund = session.get(Refund, refund_id, with_for_update=True, populate_existing=True)
    if refund is not None and refund.state == "asked":
        fail(session, refund, why)


def settle(session: Session, *, provider: str, told: CardRefund) -> str:
    """Bring our books to what the provider says of a refund, also of one that was made at its own pages.

    Raises `NotYet` when its payment has not been credited yet.
    """
    known = _known(session, provider, told)
    if known is not None:
        return record(session, known, told)
    deposit = _deposit_of(session, provider, told)
    if told.failed or told.amount is None:
        return "refund of which nothing was booked"
    refund = Refund(
        deposit_id=deposit.id,
        provider=provider,
        provider_refund_id=told.id,
        asset=deposit.asset,
        amount=Decimal(told.amount.minor),
        state="succeeded" if told.is_done else "pending",
        reason="Made at the provider",
        settled_at=func.now() if told.is_done else None,
    )
    session.add(refund)
    session.flush()
    audit.record_of_system(session, action="refund.noted", kind="refund", id=refund.id)
    _book(session, refund, deposit, allow_debt=True)
    return f"refund {refund.state}, made at the provider"


def fail(session: Session, refund: Refund, why: str | None) -> str:
    """Give the customer back what the refund took, once."""
    if refund.state == "failed":
        return "refund failed before"
    refund.state = "failed"
    refund.failure = why or "The provider could not deliver it."
    refund.settled_at = func.now()
    session.flush()
    audit.record_of_system(
        session, action="refund.failed", kind="refund", id=refund.id, reason=refund.failure
    )
    letters.send(
        session, session.get_one(Deposit, refund.deposit_id), Letter.REFUND_FAILED, amount_of(refund)
    )
    ledger.reverse(
        session,
        transaction_reference=f"refund:{refund.id}",
        reference=f"refund:{refund.id}:undone",
        reason="The refund failed",
        kind="refund_undone",
    )
    return "refund failed"


def amount_of(refund: Refund | Dispute) -> Money:
    """How much it is about."""
    return Money(int(refund.amount), asset(refund.asset))


def _book(session: Session, refund: Refund, deposit: Deposit, *, allow_debt: bool) -> None:
    letters.send(session, deposit, Letter.REFUND, amount_of(refund))
    ledger.refund(
        session,
        transaction_reference=f"deposit:{deposit.id}",
        reference=f"refund:{refund.id}",
        amount=amount_of(refund),
        destination=ledger.clearing(deposit.provider),
        allow_debt=allow_debt,
        meta={"provider": deposit.provider},
    )


def _paid(session: Session, deposit_id: UUID) -> Deposit:
    deposit = session.get(Deposit, deposit_id, with_for_update=True, populate_existing=True)
    if deposit is None:
        raise NotFound
    if deposit.state != "paid":
        raise NothingToRefund
    return deposit


def _asked_before(session: Session, deposit_id: UUID, request_id: UUID) -> Refund | None:
    return session.scalars(
        select(Refund).where(Refund.deposit_id == deposit_id, Refund.request_id == request_id)
    ).first()


def _known(session: Session, provider: str, told: CardRefund) -> UUID | None:
    """Our refund by the id that we gave it, or by the provider's."""
    if told.refund_id is not None and session.get(Refund, told.refund_id) is not None:
        return told.refund_id
    return session.scalar(
        select(Refund.id).where(Refund.provider == provider, Refund.provider_refund_id == told.id)
    )


def _deposit_of(session: Session, provider: str, told: CardRefund) -> Deposit:
    deposit = session.scalars(
        select(Deposit)
        .where(Deposit.provider == provider, Deposit.payment_id == told.payment_intent)
        .with_for_update()
    ).first()
    if deposit is None or deposit.state != "paid":
        raise NotYet(f"Refund {told.id} is of a payment that has not been credited.")
    return deposit
