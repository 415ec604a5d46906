"""Setting a payment aside that cannot be credited, and what staff decide about it."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from advancia import audit, ledger
from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.jobs import Job
from advancia.core.money import Money, asset
from advancia.payments.errors import AlreadyDecided
from advancia.payments.models import Deposit, StrayPayment


def put_aside(
    session: Session,
    *,
    provider: str,
    payment_id: str,
    amount: Money | None,
    words: str,
    reason: str,
    deposit_id: UUID | None = None,
) -> bool:
    """Put a payment into suspense, once, with the reason for staff; false when it was put there before.

    `amount` is None for money that the books cannot keep: it is noted in `words`, and nothing is posted.
    """
    stray_id = session.scalar(
        insert(StrayPayment)
        .values(
            provider=provider,
            payment_id=payment_id,
            deposit_id=deposit_id,
            asset=amount.asset.code if amount else None,
            amount=Decimal(amount.minor) if amount else None,
            words=words,
            reason=reason,
        )
        .on_conflict_do_nothing(index_elements=[StrayPayment.provider, StrayPayment.payment_id])
        .returning(StrayPayment.id)
    )
    if stray_id is None:
        return False
    audit.record_of_system(session, action="stray.noted", kind="stray", id=stray_id, reason=reason)
    if amount:
        ledger.post(
            session,
            reference=f"stray:{stray_id}",
            kind="stray",
            postings=[ledger.Posting(ledger.clearing(provider), ledger.house("suspense"), amount)],
            meta={"provider": provider, "payment": payment_id, "reason": reason},
        )
    return True


def holds(session: Session, deposit_id: UUID) -> bool:
    """Whether the deposit's money has been put into suspense."""
    return session.scalar(select(StrayPayment.id).where(StrayPayment.deposit_id == deposit_id)) is not None


def credit(session: Session, *, actor: Actor, stray_id: int, user_id: int, reason: str) -> None:
    """Credit a payment in suspense to a customer. Raises `AlreadyDecided`, and `NotFound` for what holds no money."""
    stray = _open(session, stray_id)
    amount = amount_of(stray)
    if amount is None:
        raise NotFound
    stray.user_id = user_id
    _decide(session, stray, actor, "credited", reason)
    if stray.deposit_id is not None:
        deposit = session.get(Deposit, stray.deposit_id, with_for_update=True)
        if deposit is not None and deposit.user_id == user_id and deposit.asset == stray.asset:
            deposit.state, deposit.failure = "paid", None
            deposit.paid_at, deposit.credited = func.now(), stray.amount
            _tell(session, deposit, amount)
    session.flush()
    ledger.post(
        session,
        reference=f"deposit:{stray.deposit_id}" if stray.deposit_id else f"stray:{stray_id}:credit",
        kind="deposit",
        postings=[ledger.Posting(ledger.house("suspense"), ledger.available(user_id), amount)],
        meta={"provider": stray.provider},
    )


def note_return(session: Session, *, provider: str, payment_id: str) -> str:
    """Write down that the provider has given a payment in suspense back to its payer."""
    stray = session.scalars(
        select(StrayPayment)
        .where(StrayPayment.provider == provider, StrayPayment.payment_id == payment_id)
        .with_for_update()
    ).first()
    if stray is None or stray.state != "open":
        return "is not in suspense"
    stray.state, stray.resolved_at = "returned", func.now()
    if stray.deposit_id is not None:
        session.execute(
            update(Deposit)
            .where(Deposit.id == stray.deposit_id, Deposit.state == "locked")
            .values(state="returned")
        )
    session.flush()
    audit.record_of_system(session, action="stray.returned", kind="stray", id=stray.id)
    if (amount := amount_of(stray)) is not None:
        ledger.post(
            session,
            reference=f"stray:{stray.id}:return",
            kind="stray",
            postings=[ledger.Posting(ledger.house("suspense"), ledger.clearing(provider), amount)],
            meta={"provider": provider, "payment": payment_id},
        )
    return "was given back by the provider"


def amount_of(stray: StrayPayment) -> Money | None:
    """What of it is in suspense."""
    if stray.amount is None or stray.asset is None:
        return None
    return Money(int(stray.amount), asset(stray.asset))


def _tell(session: Session, deposit: Deposit, amount: Money) -> None:
    """The mail that a deposit brings when it is credited at once."""
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template="deposit_paid",
        user_id=deposit.user_id,
        facts={"deposit_id": str(deposit.id), "amount": str(amount)},
    )


def _open(session: Session, stray_id: int) -> StrayPayment:
    stray = session.get(StrayPayment, stray_id, with_for_update=True, populate_existing=True)
    if stray is None:
        raise NotFound
    if stray.state != "open":
        raise AlreadyDecided
    return stray


def _decide(session: Session, stray: StrayPayment, actor: Actor, state: str, reason: str) -> None:
    stray.state = state
    stray.resolved_at = func.now()
    stray.resolved_by = actor.user_id
    audit.record(session, actor, action=f"stray.{state}", kind="stray", id=stray.id, reason=reason)
