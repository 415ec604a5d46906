"""Refunds: booked when they are asked for, sent in three steps, and undone if they fail.

The money is taken together with the wish, so that it cannot be spent meanwhile. A provider that does not answer leaves
the outcome unknown: then it is asked, by our id, and nothing is sent or given back blindly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.sql.elements import ColumnElement

from advancia import audit
from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.jobs import Job
from advancia.core.money import Money, asset
from advancia.payments import offers, whereabouts
from advancia.payments.errors import (
    AddressNeeded,
    NothingToRefund,
    NotYet,
    OnlyWhole,
    RefundAlreadyAsked,
    RefundTooLarge,
    WasRolledBack,
)
from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment
from advancia.payments.refunds import booking
from advancia.payments.refunds.booking import amount_of
from advancia.payments.whereabouts import Place, Where
from advancia.providers.stripe_objects import CardRefund


@dataclass(frozen=True)
class ToSend:
    """A refund for the provider. `was_sent`: it may be there already, so look before sending."""

    refund_id: UUID
    provider: str
    payment_id: str
    amount: Money
    address: str | None
    was_sent: bool


def request_refund(
    session: Session,
    *,
    actor: Actor,
    deposit_id: UUID,
    amount: Money,
    reason: str,
    request_id: UUID,
    address: str | None = None,
    allow_debt: bool = False,
    asked_by: int | None = None,
) -> UUID:
    """Take `amount` of a deposit back from its customer and queue the refund; equal submits are one refund.

    Coins go to `address`, which has been checked, and whole. Money that was spent is refused (`InsufficientFunds`), or
    with `allow_debt` the rest becomes the customer's debt. `asked_by` had the idea, where `actor` only agrees.
    Raises `NothingToRefund`, `WasRolledBack`, `OnlyWhole`, `AddressNeeded`, `RefundTooLarge`, which tells what is left,
    and `RefundAlreadyAsked`.
    """
    deposit = _paid(session, deposit_id)
    if (earlier := _asked_before(session, deposit_id, request_id)) is not None:
        if (int(earlier.amount), earlier.address) != (amount.minor, address):
            raise RefundAlreadyAsked
        return earlier.id
    place = _refundable_place(session, deposit, amount, address)
    refund = Refund(
        deposit_id=deposit_id,
        request_id=request_id,
        provider=deposit.provider,
        asset=deposit.asset,
        amount=Decimal(amount.minor),
        address=address,
        reason=reason,
        asked_by=asked_by or actor.user_id,
    )
    session.add(refund)
    session.flush()
    _note_request(session, actor, refund, allow_debt=allow_debt)
    outbox.put(session, Job.SEND_REFUND, refund_id=str(refund.id))
    booking.book(session, refund, place, allow_debt=allow_debt)
    return refund.id


def check_refund(session: Session, *, deposit_id: UUID, amount: Money, address: str | None) -> None:
    """Raise what `request_refund` would raise of this refund now, but for what the customer has; lock the deposit."""
    _refundable_place(session, _paid(session, deposit_id), amount, address)


def is_asked(session: Session, *, deposit_id: UUID, request_id: UUID) -> bool:
    """Whether the form with that id has led to a refund."""
    return _asked_before(session, deposit_id, request_id) is not None


def refundable(session: Session, deposit: Deposit) -> Money:
    """What of a deposit can still be given back: what came, less refunds that stand and disputes that may be lost."""
    disputed = session.scalar(
        select(func.coalesce(func.sum(Dispute.amount), 0)).where(
            Dispute.deposit_id == deposit.id,
            Dispute.state.in_(("open", "lost")),
            Dispute.stray_id.is_(None),  # what was lost in suspense was never credited
        )
    )
    left = (deposit.credited or Decimal()) - _refunded(session, deposit) - Decimal(disputed or 0)
    return Money(max(int(left), 0), asset(deposit.asset))


def given_back(session: Session, deposit_id: UUID) -> Money:
    """What refunds have taken of a deposit so far, but for those that failed."""
    deposit = session.get_one(Deposit, deposit_id)
    return Money(int(_refunded(session, deposit)), asset(deposit.asset))


def claim(session: Session, refund_id: UUID) -> ToSend | None:
    """Note that the refund is about to be sent, and give what the provider needs; None once its answer is known."""
    refund, deposit, stray = locked(session, refund_id)
    if refund.state != "asked":
        return None
    payment_id = (deposit.payment_id if refund.deposit_id and deposit else None) or (
        stray and stray.payment_id
    )
    was_sent = refund.sent_at is not None
    refund.sent_at = func.now()
    return ToSend(refund_id, refund.provider, payment_id or "", amount_of(refund), refund.address, was_sent)


def accept(session: Session, refund_id: UUID) -> str:
    """The provider has taken the refund on; how it ends is told later. Repeatable."""
    refund, _, _ = locked(session, refund_id)
    if refund.state == "asked":
        refund.state = "pending"
    return f"refund {refund.state}"


def record(session: Session, refund_id: UUID, told: CardRefund) -> str:
    """Write down how our refund stands at the provider; a failure undoes what was booked. Repeatable, in any order."""
    refund, deposit, stray = locked(session, refund_id)
    refund.provider_refund_id = told.id
    if told.failed:
        return fail(session, refund, told.failure_words, deposit=deposit, stray=stray)
    if refund.state == "failed":
        return "refund failed before"
    if told.is_done:
        booking.succeed(session, refund, deposit=deposit)
    elif refund.state == "asked":
        refund.state = "pending"
    return f"refund {refund.state}"


def refuse(session: Session, refund_id: UUID, why: str) -> None:
    """The provider has said no, and there is no such refund there: undo what was booked."""
    refund, deposit, stray = locked(session, refund_id)
    if refund.state == "asked":
        fail(session, refund, why, deposit=deposit, stray=stray)


def settle(session: Session, *, provider: str, told: CardRefund) -> str:
    """Bring our books to what the provider says of a refund, also of one that was made at its own pages.

    Raises `NotYet` when its payment has not been credited yet.
    """
    known = _known(session, provider, told)
    if known is not None:
        return record(session, known, told)
    place = whereabouts.of_payment(session, provider=provider, payment_id=told.payment_intent or "")
    if place is None:
        raise NotYet(f"Refund {told.id} is of a payment that has not been credited.")
    known = _known(
        session, provider, told
    )  # once more under the payment's lock: another event may have been quicker
    if known is not None:
        return record(session, known, told)
    if told.failed or told.amount is None:
        return "refund of which nothing was booked"
    state = "succeeded" if told.is_done else "pending"
    note(session, place, amount=told.amount, provider_refund_id=told.id, state=state)
    return f"refund {state}, made at the provider"


def note(session: Session, place: Place, *, amount: Money, provider_refund_id: str, state: str) -> Refund:
    """Write down and book a refund that was made at the provider's own pages."""
    is_house = place.where is Where.HOUSE
    refund = Refund(
        deposit_id=place.paid_deposit_id,
        stray_id=place.stray.id if place.paid_deposit_id is None and place.stray else None,
        provider=place.provider,
        provider_refund_id=provider_refund_id,
        asset=amount.asset.code,
        amount=Decimal(amount.minor),
        state="pending",
        reason="Made at the provider, after the deposit was rolled back"
        if is_house
        else "Made at the provider",
        borne_by_house=is_house,
    )
    session.add(refund)
    session.flush()
    audit.record_of_system(session, action="refund.noted", kind="refund", id=refund.id, reason=refund.reason)
    booking.book(session, refund, place, allow_debt=True)
    if state == "succeeded":
        booking.succeed(session, refund, deposit=place.deposit)
    return refund


def fail(
    session: Session,
    refund: Refund,
    why: str | None,
    *,
    deposit: Deposit | None,
    stray: StrayPayment | None,
) -> str:
    """Put back what the refund took, once."""
    if refund.state == "failed":
        return "refund failed before"
    refund.state = "failed"
    refund.failure = why or "The provider could not deliver it."
    refund.settled_at = func.now()
    session.flush()
    audit.record_of_system(
        session, action="refund.failed", kind="refund", id=refund.id, reason=refund.failure
    )
    booking.undo(session, refund, deposit=deposit, stray=stray)
    return "refund failed"


def locked(session: Session, refund_id: UUID) -> tuple[Refund, Deposit | None, StrayPayment | None]:
    """A refund with what it is of, all locked, what it is of first: everybody takes them in that order.

    Raises `NotFound`.
    """
    found = session.execute(select(Refund.deposit_id, Refund.stray_id).where(Refund.id == refund_id)).first()
    if found is None:
        raise NotFound
    deposit_id, stray_id = found
    if stray_id is not None:
        deposit_id = session.scalar(select(StrayPayment.deposit_id).where(StrayPayment.id == stray_id))
    deposit = (
        session.get(Deposit, deposit_id, with_for_update=True, populate_existing=True) if deposit_id else None
    )
    stray = (
        session.get(StrayPayment, stray_id, with_for_update=True, populate_existing=True)
        if stray_id
        else None
    )
    return session.get_one(Refund, refund_id, with_for_update=True, populate_existing=True), deposit, stray


def standing(session: Session, place: Place) -> Refund | None:
    """The refund of a payment that goes back whole, locked: one that has not failed."""
    return session.scalars(
        select(Refund)
        .where(of_place(place), Refund.state != "failed")
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def of_place(place: Place) -> ColumnElement[bool]:
    """Which refunds are of the payment that lies there."""
    if place.paid_deposit_id is not None:
        return Refund.deposit_id == place.paid_deposit_id
    return Refund.stray_id == (place.stray.id if place.stray else None)


def _note_request(session: Session, actor: Actor, refund: Refund, *, allow_debt: bool) -> None:
    after = {
        "deposit": str(refund.deposit_id),
        "amount": str(amount_of(refund)),
        "debt_allowed": allow_debt,
        "address": refund.address,
        "asked_by": refund.asked_by,
    }
    audit.record(
        session,
        actor,
        action="refund.requested",
        kind="refund",
        id=refund.id,
        after=after,
        reason=refund.reason,
    )


def _refundable_place(session: Session, deposit: Deposit, amount: Money, address: str | None) -> Place:
    place = whereabouts.of_deposit(session, deposit)
    if place is None:
        raise NothingToRefund
    if place.where is not Where.CUSTOMER:
        raise WasRolledBack
    _check(session, deposit, amount, address)
    return place


def _check(session: Session, deposit: Deposit, amount: Money, address: str | None) -> None:
    left = refundable(session, deposit)
    if amount > left:
        raise RefundTooLarge(left)
    if deposit.provider in offers.CRYPTO:
        if amount.minor != deposit.credited:
            raise OnlyWhole
        if not address:
            raise AddressNeeded


def _refunded(session: Session, deposit: Deposit) -> Decimal:
    refunded = session.scalar(
        select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.deposit_id == deposit.id, Refund.state != "failed"
        )
    )
    return Decimal(refunded or 0)


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
