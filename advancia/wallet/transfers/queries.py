"""Transfers as their two parties may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select

from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Money, asset
from advancia.identity import queries as people
from advancia.identity.queries import Person
from advancia.wallet.transfers.models import Transfer


@dataclass(frozen=True)
class Terms:
    """Who gets how much, and what it costs the sender."""

    recipient: Person
    amount: Money
    fee: Money
    note: str

    @property
    def recipient_name(self) -> str:
        return self.recipient.name

    @property
    def recipient_handle(self) -> str:
        return self.recipient.handle

    @property
    def total(self) -> Money:
        return self.amount + self.fee


@dataclass(frozen=True)
class TransferView(Terms):
    """A transfer with the names of its parties, seen by one of them."""

    id: UUID
    sender: Person
    created_at: datetime
    outgoing: bool

    @property
    def reference(self) -> str:
        return f"transfer:{self.id}"

    @property
    def sender_name(self) -> str:
        return self.sender.name


def transfer_of(session: Session, user_id: int, transfer_id: UUID) -> TransferView:
    """The transfer, for its sender or its recipient. Raises `NotFound` for anybody else."""
    transfer = session.scalar(
        select(Transfer).where(
            Transfer.id == transfer_id, or_(Transfer.sender_id == user_id, Transfer.recipient_id == user_id)
        )
    )
    if transfer is None:
        raise NotFound
    parties = people.people(session, (transfer.sender_id, transfer.recipient_id))
    of_asset = asset(transfer.asset)
    return TransferView(
        id=transfer.id,
        sender=parties[transfer.sender_id],
        recipient=parties[transfer.recipient_id],
        amount=Money(int(transfer.amount), of_asset),
        fee=Money(int(transfer.fee), of_asset),
        note=transfer.note,
        created_at=transfer.created_at,
        outgoing=transfer.sender_id == user_id,
    )
