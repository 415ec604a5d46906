"""What a rollback would do, before it is done: to each account, and in the eyes of each customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from advancia import ledger
from advancia.admin.approvals import queries as approvals
from advancia.admin.approvals.services import Kind
from advancia.admin.transactions import queries as transactions
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.money import Asset, Money
from advancia.identity import queries as identity
from advancia.identity.queries import Person
from advancia.ledger import AlreadyRefunded, AlreadyReversed, NotReversible, staff_queries
from advancia.ledger.accounts import AVAILABLE, HOUSE
from advancia.ledger.links import Links, links_of
from advancia.ledger.staff_queries import MirroredLeg
from advancia.payments.strays import services as strays

ALONE = timedelta(hours=24)  # how old a transaction may be that one person rolls back by themselves


@dataclass(frozen=True)
class MirrorTable:
    """The mirrored legs of one asset."""

    asset: Asset
    legs: Sequence[MirroredLeg]
    debits: Money
    credits: Money


@dataclass(frozen=True)
class Effect:
    """What one customer would see: the line in their history, and what they would owe."""

    person: Person
    change: Money
    after: Money
    short: Money


@dataclass(frozen=True)
class Preview:
    """What a rollback would do now. `refusal` says why it cannot be done at all."""

    transaction: ledger.Transaction
    tables: Sequence[MirrorTable]
    effects: Sequence[Effect]
    people: Mapping[int, Person]
    links: Links
    refusal: str | None
    is_old: bool
    waiting: UUID | None
    charged: UUID | None = (
        None  # the deposit whose payer the provider has charged, and does not pay back for this
    )

    @property
    def is_short(self) -> bool:
        return any(effect.short for effect in self.effects)


def preview(session: Session, txn_id: int) -> Preview:
    """Raises `NotFound` if there is no such transaction."""
    shown = transactions.shown(session, txn_id)
    legs = staff_queries.mirror_of(session, txn_id)
    people = identity.people(session, {leg.account.holder for leg in legs} - {HOUSE})
    return Preview(
        transaction=shown.transaction,
        tables=_tables(legs),
        effects=[
            Effect(people[leg.account.holder], leg.change, leg.after, leg.short)
            for leg in legs
            if leg.account.purpose == AVAILABLE and leg.after is not None and leg.account.holder in people
        ],
        people=people,
        links=shown.links,
        refusal=_refusal(session, shown, has_legs=bool(legs)),
        is_old=is_old(shown.transaction),
        waiting=approvals.open_about(session, kind=Kind.ROLLBACK, subject=str(txn_id)),
        charged=_charged(session, shown.transaction),
    )


def is_old(transaction: ledger.Transaction) -> bool:
    """Whether rolling it back takes two."""
    return utcnow() - transaction.created_at > ALONE


def _charged(session: Session, transaction: ledger.Transaction) -> UUID | None:
    """The deposit that it credited as it came; what came out of suspense lies there again after a rollback."""
    what, _, name = transaction.reference.partition(":")
    if transaction.kind != "deposit" or what != "deposit":
        return None
    deposit_id = UUID(name)
    return None if strays.holds(session, deposit_id) else deposit_id


def _refusal(session: Session, shown: transactions.Shown, *, has_legs: bool) -> str | None:
    """Why the ledger would not undo it, in its own words."""
    if shown.links.reversed_by:
        return AlreadyReversed.text
    if _is_refunded(session, shown.links):
        return AlreadyRefunded.text
    if shown.stored.is_hold:
        return NotReversible.texts["hold"]
    if shown.links.reverses:
        return NotReversible.texts["reversal"]
    return None if has_legs else NotReversible.texts["nothing"]


def _is_refunded(session: Session, links: Links) -> bool:
    """Whether a refund of it stands, and was not undone itself."""
    refunds = links_of(session, [refund.id for refund in links.refunded_by])
    return any(refund.reversed_by is None for refund in refunds.values())


def _tables(legs: Sequence[MirroredLeg]) -> list[MirrorTable]:
    return [
        _table(asset, list(of_asset)) for asset, of_asset in groupby(legs, key=lambda leg: leg.change.asset)
    ]


def _table(asset: Asset, legs: list[MirroredLeg]) -> MirrorTable:
    zero = Money.zero(asset)
    return MirrorTable(
        asset=asset,
        legs=sorted(legs, key=lambda leg: not leg.change.is_negative),
        debits=sum((-leg.change for leg in legs if leg.change.is_negative), zero),
        credits=sum((leg.change for leg in legs if not leg.change.is_negative), zero),
    )
