"""Where what a difference is about has its own page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from flask import url_for
from sqlalchemy import select

from advancia import ledger
from advancia.core.db import Session
from advancia.payments.models import Deposit, Refund
from advancia.reconciliation.shown import DifferenceRow

_TRANSACTION = re.compile(r"transaction (\d{1,18})\b")


@dataclass(frozen=True)
class Link:
    """Words and address of a page."""

    words: str
    url: str


def links_of(session: Session, row: DifferenceRow) -> list[Link]:
    """The pages of both sides' things: the deposit or payment, and the transaction that booked it."""
    references = [each for each in (row.our_ref or "").split(", ") if each]
    found = [_page_of(session, each) for each in references] + [
        _booking(session, each) for each in references
    ]
    found += [_of_payment(session, row), _named(row)]
    return list(dict.fromkeys(each for each in found if each is not None))


def _page_of(session: Session, reference: str) -> Link | None:
    family, _, rest = reference.partition(":")
    name = rest.partition(":")[0]
    if family == "deposit" and (deposit_id := _uuid(name)) is not None:
        return _deposit(session, deposit_id)
    if family == "refund" and (refund_id := _uuid(name)) is not None:
        return _deposit(session, session.scalar(select(Refund.deposit_id).where(Refund.id == refund_id)))
    if family == "dispute":
        return Link("Disputes", url_for("admin.payments.disputes"))
    if family == "work":
        return Link("Parked work", url_for("admin.work.index", state="parked"))
    if family in ("stray", "webhook") and name.isdecimal():
        return _numbered(family, int(name))
    return None


def _numbered(family: str, number: int) -> Link:
    if family == "stray":
        return Link(f"Payment in suspense {number}", url_for("admin.payments.stray", stray_id=number))
    return Link(f"Event {number}", url_for("admin.inbox.show", event_id=number))


def _deposit(session: Session, deposit_id: UUID | None) -> Link | None:
    is_there = deposit_id is not None and session.get(Deposit, deposit_id) is not None
    return Link("Deposit", url_for("admin.payments.show", deposit_id=deposit_id)) if is_there else None


def _of_payment(session: Session, row: DifferenceRow) -> Link | None:
    """The deposit that the provider's payment is of."""
    if row.their_ref is None or row.provider is None:
        return None
    paid = select(Deposit.id).where(
        Deposit.provider == row.provider,
        (Deposit.payment_id == row.their_ref) | (Deposit.checkout_id == row.their_ref),
    )
    return _deposit(session, session.scalar(paid.limit(1)))


def _booking(session: Session, reference: str) -> Link | None:
    transaction = ledger.transaction(session, reference)
    if transaction is None:
        return None
    return Link(f"Transaction #{transaction.id}", url_for("admin.transactions.show", txn_id=transaction.id))


def _named(row: DifferenceRow) -> Link | None:
    """The transaction that the ledger's own check names."""
    named = _TRANSACTION.search(row.words) if row.check == "ledger" else None
    if named is None:
        return None
    number = int(named.group(1))
    return Link(f"Transaction #{number}", url_for("admin.transactions.show", txn_id=number))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
