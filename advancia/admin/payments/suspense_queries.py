"""What staff read about payments in suspense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from advancia.admin.payments import second_person
from advancia.admin.payments.decisions import Decision, decision_about
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.large_amounts import is_large
from advancia.core.money import Money
from advancia.identity.models import User
from advancia.payments import offers
from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment
from advancia.payments.refunds import suspense
from advancia.payments.strays import services as strays_service
from advancia.providers.cryptomus import NETWORKS

LARGEST_ID = 2**63 - 1


def strays(session: Session, *, state: str | None, before: int | None, limit: int) -> Sequence[StrayPayment]:
    """A page of the payments that fitted no deposit."""
    chosen = select(StrayPayment)
    if state:
        chosen = chosen.where(StrayPayment.state == state)
    if before is not None:
        chosen = chosen.where(StrayPayment.id < before)
    return session.scalars(chosen.order_by(StrayPayment.id.desc()).limit(limit)).all()


def stray(session: Session, stray_id: int) -> StrayPayment:
    """Raises `NotFound`."""
    found = session.get(StrayPayment, stray_id) if stray_id <= LARGEST_ID else None
    if found is None:
        raise NotFound("There is no such payment.")
    return found


def stray_id_of(session: Session, *, provider: str, payment_id: str | None) -> int | None:
    """The payment in suspense, by its provider's name for it."""
    found: int | None = session.scalar(
        select(StrayPayment.id).where(
            StrayPayment.provider == provider, StrayPayment.payment_id == payment_id
        )
    )
    return found


@dataclass(frozen=True)
class StrayDetail:
    """A payment in suspense with what came of it. `waiting`: the request about it that waits for a second person."""

    found: StrayPayment
    left: Money | None
    owner: User | None
    refunds: Sequence[Refund]
    disputes: Sequence[Dispute]
    is_disputed: bool
    is_large: bool
    waiting: UUID | None
    decision: Decision | None

    @property
    def is_under_way(self) -> bool:
        return any(each.is_under_way for each in self.refunds)

    @property
    def can_be_decided(self) -> bool:
        is_free = not (self.is_disputed or self.is_under_way or self.waiting)
        return self.found.state == "open" and self.left is not None and is_free

    @property
    def is_crypto(self) -> bool:
        return self.found.provider in offers.CRYPTO

    @property
    def network(self) -> str:
        return self.found.network or NETWORKS.get(self.found.asset or "", "")


def stray_detail(session: Session, stray_id: int) -> StrayDetail:
    """Raises `NotFound`."""
    found = stray(session, stray_id)
    left = strays_service.left(found)
    disputed = select(Dispute).where(
        Dispute.provider == found.provider, Dispute.payment_id == found.payment_id
    )
    return StrayDetail(
        found=found,
        left=left,
        owner=owner_of(session, found.deposit_id),
        refunds=suspense.refunds_of(session, found),
        disputes=session.scalars(disputed.order_by(Dispute.opened_at)).all(),
        is_disputed=strays_service.is_disputed(session, found),
        is_large=left is not None and is_large(left),
        waiting=second_person.waiting_about(session, stray_id),
        decision=decision_about(session, found) if found.state != "open" else None,
    )


def owner_of(session: Session, deposit_id: UUID | None) -> User | None:
    """Whose deposit it is."""
    if deposit_id is None:
        return None
    return session.scalar(
        select(User).join(Deposit, Deposit.user_id == User.id).where(Deposit.id == deposit_id)
    )
