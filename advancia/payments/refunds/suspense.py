"""Sending money back that lies in suspense: booked, sent and recorded as a refund, in the same three steps."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.payments import offers
from advancia.payments.errors import AddressNeeded, RefundAlreadyAsked
from advancia.payments.models import Refund, StrayPayment
from advancia.payments.refunds import booking
from advancia.payments.strays import services as strays
from advancia.payments.whereabouts import Place, Where


def send_back(
    session: Session,
    *,
    actor: Actor,
    stray_id: int,
    reason: str,
    request_id: UUID,
    address: str | None = None,
    asked_by: int | None = None,
) -> UUID:
    """Take what of a payment lies in suspense out of it, and queue it to go back; equal submits are one refund.

    Coins go to `address`, which has been checked. Raises `AlreadyDecided`, `Disputed`, `OnItsWayBack`, `AddressNeeded`,
    `RefundAlreadyAsked`, and `NotFound` for what holds no money.
    """
    if (earlier := _asked_before(session, stray_id, request_id)) is not None:
        if earlier.address != address:
            raise RefundAlreadyAsked
        return earlier.id
    amount = check_return(session, stray_id=stray_id, address=address)
    stray, deposit = strays.open_one(session, stray_id)
    refund = Refund(
        stray_id=stray_id,
        request_id=request_id,
        provider=stray.provider,
        asset=amount.asset.code,
        amount=Decimal(amount.minor),
        address=address,
        reason=reason,
        asked_by=asked_by or actor.user_id,
    )
    session.add(refund)
    strays.decide(
        session, stray, actor, "returned", reason, asked_by=asked_by, amount=str(amount), address=address
    )
    session.flush()
    outbox.put(session, Job.SEND_REFUND, refund_id=str(refund.id))
    booking.book(session, refund, Place(Where.SUSPENSE, stray.provider, deposit, stray), allow_debt=False)
    return refund.id


def check_return(session: Session, *, stray_id: int, address: str | None) -> Money:
    """What would go back now. Raises what `send_back` would raise; locks the payment."""
    stray, _ = strays.open_one(session, stray_id)
    amount = strays.left(stray)
    if amount is None:
        raise NotFound
    if stray.provider in offers.CRYPTO and not address:
        raise AddressNeeded
    return amount


def is_asked(session: Session, *, stray_id: int, request_id: UUID) -> bool:
    """Whether the form with that id has sent it back."""
    return _asked_before(session, stray_id, request_id) is not None


def refunds_of(session: Session, stray: StrayPayment) -> list[Refund]:
    """Each try to send it back, and what went back at the provider's own pages, oldest first."""
    return list(
        session.scalars(select(Refund).where(Refund.stray_id == stray.id).order_by(Refund.created_at))
    )


def _asked_before(session: Session, stray_id: int, request_id: UUID) -> Refund | None:
    return session.scalars(
        select(Refund).where(Refund.stray_id == stray_id, Refund.request_id == request_id)
    ).first()
