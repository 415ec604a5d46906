"""Where the money of a payment lies in our books now: with a customer, in suspense, or with the house.

Whatever takes it away again, be it a refund or a dispute, takes it from there and from nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from advancia import ledger
from advancia.core.db import Session
from advancia.ledger.links import links_of
from advancia.payments import offers
from advancia.payments.models import Deposit, Refund, StrayPayment
from advancia.payments.strays import references
from advancia.payments.strays import services as strays

# What a rollback by staff is called in the books; the pages that post it are above this room.
ROLLBACK = "rollback:"


class Where(StrEnum):
    CUSTOMER = "customer"
    SUSPENSE = "suspense"
    HOUSE = "house"  # it was credited, and that was rolled back


@dataclass(frozen=True)
class Place:
    """Where it lies. Its rows are locked until the caller commits, the deposit's before the other.

    `credit` is the transaction by which `user_id` got it; both are None for what lies in suspense. After a rollback it
    lies in `clearing` again, or in suspense where it had come from there.
    """

    where: Where
    provider: str
    deposit: Deposit | None
    stray: StrayPayment | None
    user_id: int | None = None
    credit: str | None = None

    @property
    def is_on_suspense(self) -> bool:
        """Whether it is `suspense` on whose account it lies."""
        return self.where is Where.SUSPENSE or (self.where is Where.HOUSE and self.stray is not None)

    @property
    def paid_deposit_id(self) -> UUID | None:
        """The deposit that was credited with it, if one was."""
        is_paid = self.deposit is not None and self.deposit.state == "paid"
        return self.deposit.id if self.deposit and is_paid and self.where is not Where.SUSPENSE else None


def of_payment(session: Session, *, provider: str, payment_id: str) -> Place | None:
    """Where the payment's money lies; None for a payment of which nothing has been booked."""
    deposit = _deposit_of(session, provider, payment_id)
    stray = strays.locked_of_payment(session, provider=provider, payment_id=payment_id)
    if stray is not None and stray.state != "credited":
        return Place(Where.SUSPENSE, provider, deposit, stray)
    if stray is not None:
        user_id, credit = stray.user_id, references.newest_credit(session, stray)
    elif deposit is not None and deposit.state == "paid":
        user_id, credit = deposit.user_id, _standing_credit(session, deposit)
    else:
        return None
    where = Where.HOUSE if is_rolled_back(session, credit) else Where.CUSTOMER
    return Place(where, provider, deposit, stray, user_id, credit)


def of_deposit(session: Session, deposit: Deposit) -> Place | None:
    """As `of_payment`, of the payment that came for a deposit."""
    if deposit.payment_id is None:
        return None
    return of_payment(session, provider=deposit.provider, payment_id=deposit.payment_id)


def is_rolled_back(session: Session, reference: str) -> bool:
    """Whether staff have rolled that transaction back."""
    transaction = ledger.transaction(session, reference)
    if transaction is None:
        return False
    undone_by = links_of(session, [transaction.id])[transaction.id].reversed_by
    return undone_by is not None and undone_by.reference.startswith(ROLLBACK)


def credit_of(session: Session, deposit: Deposit) -> str:
    """The transaction by which the deposit's customer has got it last, or would get it."""
    stray = session.scalars(
        select(StrayPayment).where(
            StrayPayment.deposit_id == deposit.id, StrayPayment.user_id == deposit.user_id
        )
    ).first()
    return references.newest_credit(session, stray) if stray is not None else f"deposit:{deposit.id}"


def _deposit_of(session: Session, provider: str, payment_id: str) -> Deposit | None:
    """The deposit that the payment came for, credited or not."""
    set_aside = session.scalar(
        select(StrayPayment.deposit_id).where(
            StrayPayment.provider == provider, StrayPayment.payment_id == payment_id
        )
    )
    it = (
        (Deposit.id == set_aside,)
        if set_aside is not None
        else (Deposit.provider == provider, Deposit.payment_id == payment_id)
    )
    return session.scalars(
        select(Deposit).where(*it).with_for_update().execution_options(populate_existing=True)
    ).first()


def _standing_credit(session: Session, deposit: Deposit) -> str:
    """Coins are given back by the mirror of their credit; if that fails they are credited anew."""
    first = f"deposit:{deposit.id}"
    if deposit.provider in offers.CARDS:
        return first
    failed = session.scalar(
        select(Refund.id)
        .where(Refund.deposit_id == deposit.id, Refund.state == "failed")
        .order_by(Refund.settled_at.desc())
        .limit(1)
    )
    again = f"refund:{failed}:undone"
    return again if failed is not None and ledger.transaction(session, again) is not None else first
