"""Sending money to another customer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from advancia import ledger
from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.identity import queries as people
from advancia.identity.queries import Person
from advancia.identity.services import suspension
from advancia.wallet.transfers.errors import AlreadySent, SendingToOneself, Suspended, UnknownRecipient
from advancia.wallet.transfers.models import Transfer


def find_recipient(session: Session, *, sender_id: int, typed: str) -> Person:
    """The customer to be paid. Raises `UnknownRecipient`, `SendingToOneself`."""
    recipient = people.recipient_of(session, typed)
    if recipient is None:
        raise UnknownRecipient
    if recipient.id == sender_id:
        raise SendingToOneself
    return recipient


def fee_for(amount: Money) -> Money:
    """What the sender pays on top: sending between customers costs nothing."""
    return Money.zero(amount.asset)


def send(
    session: Session, *, actor: Actor, recipient: str, amount: Money, note: str, request_id: UUID
) -> UUID:
    """Move `amount` to the recipient and tell both by mail; return the transfer's id.

    `request_id` is minted with the form, so any number of equal submits is one transfer.
    Raises `UnknownRecipient`, `SendingToOneself`, `Suspended`, `AlreadySent`, `ledger.InsufficientFunds`. The
    caller's unit of work commits, or undoes, all of it.
    """
    receiver = find_recipient(session, sender_id=actor.user_id, typed=recipient)
    _hold_open(session, sender_id=actor.user_id, recipient_id=receiver.id)
    fee = fee_for(amount)
    asked = {
        "sender_id": actor.user_id,
        "recipient_id": receiver.id,
        "asset": amount.asset.code,
        "amount": Decimal(amount.minor),
        "note": note,
    }
    transfer_id: UUID | None = session.scalar(
        insert(Transfer)
        .values(**asked, fee=fee.minor, request_id=request_id)
        .on_conflict_do_nothing(index_elements=[Transfer.sender_id, Transfer.request_id])
        .returning(Transfer.id)
    )
    if transfer_id is None:  # an equal submit got here before us
        return _sent_before(session, asked, request_id=request_id)
    ledger.post(
        session,
        reference=f"transfer:{transfer_id}",
        kind="transfer",
        postings=_postings(actor.user_id, receiver.id, amount, fee),
        meta={"note": note} if note else {},
    )
    for template, reader in (("transfer_sent", actor.user_id), ("transfer_received", receiver.id)):
        outbox.put(
            session,
            Job.SEND_EMAIL,
            template=template,
            user_id=reader,
            facts={"transfer_id": str(transfer_id)},
        )
    return transfer_id


def _hold_open(session: Session, *, sender_id: int, recipient_id: int) -> None:
    """Keep both from being suspended until this is done: whoever is already neither sends nor gets anything."""
    open_ones = suspension.hold_open(session, (sender_id, recipient_id))
    if sender_id not in open_ones:
        raise Suspended
    if recipient_id not in open_ones:  # that they are suspended is not the sender's to know
        raise UnknownRecipient


def _postings(sender_id: int, recipient_id: int, amount: Money, fee: Money) -> list[ledger.Posting]:
    sender = ledger.available(sender_id)
    postings = [ledger.Posting(sender, ledger.available(recipient_id), amount)]
    if fee:
        postings.append(ledger.Posting(sender, ledger.house("fees"), fee))
    return postings


def _sent_before(session: Session, asked: dict[str, Any], *, request_id: UUID) -> UUID:
    """The id of the transfer that this form has made. Raises `AlreadySent` if it asked for something else."""
    sent = session.scalars(
        select(Transfer).where(Transfer.sender_id == asked["sender_id"], Transfer.request_id == request_id)
    ).one()
    if any(getattr(sent, name) != value for name, value in asked.items()):
        raise AlreadySent
    return sent.id
