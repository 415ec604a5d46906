"""One transaction for staff: its legs as debits and credits, what it is linked with, and the seal that covers it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from advancia import ledger
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import Asset, Money
from advancia.ledger import staff_queries
from advancia.ledger.links import Linked, Links, links_of
from advancia.ledger.staff_queries import Sealed, Stored

LARGEST_ID = 2**63 - 1
# What customers read out as a reference may be the id alone of one of these.
OF_IDS = ("deposit", "transfer", "rollback")


@dataclass(frozen=True)
class Table:
    """The legs of one asset with the sums of both sides, which are equal."""

    asset: Asset
    legs: Sequence[ledger.Entry]
    debits: Money
    credits: Money


@dataclass(frozen=True)
class Shown:
    """A transaction as its page shows it."""

    transaction: ledger.Transaction
    stored: Stored
    tables: Sequence[Table]
    links: Links
    seal: Sealed | None

    @property
    def refunded_by(self) -> list[Linked]:
        """Refunds of it; coins go back by a mirror, so theirs is linked as one."""
        mirror = self.links.reversed_by
        by_mirror = [mirror] if mirror is not None and mirror.kind == "refund" else []
        return [*by_mirror, *self.links.refunded_by]


def shown(session: Session, txn_id: int) -> Shown:
    """Raises `NotFound` if there is no transaction of that id."""
    stored = staff_queries.stored(session, txn_id) if txn_id <= LARGEST_ID else None
    transaction = ledger.transaction(session, stored.reference) if stored else None
    if stored is None or transaction is None:
        raise NotFound("There is no transaction of that id.")
    return Shown(
        transaction=transaction,
        stored=stored,
        tables=_tables(transaction),
        links=links_of(session, [txn_id])[txn_id],
        seal=staff_queries.sealed_in(session, txn_id),
    )


def ids_meant_by(session: Session, text: str) -> list[int]:
    """The transactions that `text` names: by their reference, by the id within it, or by their own id (`#12`, `12`)."""
    meant = re.fullmatch(r"#?([0-9]{1,18})", text)
    if meant:
        known = staff_queries.stored(session, int(meant[1]))
        return [known.id] if known else []
    references = [text]
    if re.fullmatch(r"[0-9a-fA-F-]{32,36}", text):
        references += _with_prefixes(text)
    return staff_queries.ids_by_reference(session, references)


def _with_prefixes(text: str) -> list[str]:
    try:
        written = str(UUID(text))
    except ValueError:
        return []
    return [f"{prefix}:{written}" for prefix in OF_IDS]


def _tables(transaction: ledger.Transaction) -> list[Table]:
    by_asset = sorted(transaction.entries, key=lambda entry: entry.amount.asset.code)
    return [
        _table(asset, list(legs)) for asset, legs in groupby(by_asset, key=lambda entry: entry.amount.asset)
    ]


def _table(asset: Asset, legs: list[ledger.Entry]) -> Table:
    """Debits first, as on paper."""
    zero = Money.zero(asset)
    return Table(
        asset=asset,
        legs=sorted(legs, key=lambda leg: not leg.amount.is_negative),
        debits=sum((-leg.amount for leg in legs if leg.amount.is_negative), zero),
        credits=sum((leg.amount for leg in legs if not leg.amount.is_negative), zero),
    )
