"""Moving money in bulk: thousands of postings in one call, with the same outcome as one after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Error as DriverError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from advancia.core import context
from advancia.ledger.errors import LedgerError, ReferenceConflict
from advancia.ledger.posting import (
    NOT_ENOUGH_MONEY,
    OTHER_CONTENT,
    Posting,
    changes,
    insufficient_funds,
    numbers,
    refuse,
    texts,
)

POST_MANY = (
    "select txn_ids, outcomes, details from ledger.post_many(%s, %s::text[], %s::text[], %s::jsonb[],"
    " %s::timestamptz[], %s::text[], %s::int[], %s::bigint[], %s::text[], %s::text[], %s::numeric[])"
)

REPLAYED = "replayed"
MOST_ITEMS = 10_000  # of one call: its accounts stay locked until all of it is written


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One transaction of a batch, as `post` would be asked for it. Without a `request_id`, the context's is kept."""

    reference: str
    kind: str
    postings: Sequence[Posting]
    meta: Mapping[str, Any] | None = None
    effective_at: datetime | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one item: a transaction (`replayed`: an earlier one, and nothing moved), or why there is none."""

    txn_id: int | None
    replayed: bool = False
    refusal: LedgerError | None = None


def post_many(session: Session, items: Sequence[BatchItem], *, atomic: bool) -> list[Outcome]:
    """Post up to 10,000 transactions in one round trip, as if each were posted on its own, in this order.

    Gives the outcome of each item, in order. An item that is refused (`InsufficientFunds`, `ReferenceConflict`)
    leaves its reference free and the others alone; if `atomic`, the first refusal is raised instead.

    Raises `MalformedPosting` if any item can never be right, or if this database transaction has posted before.
    After an error the caller's unit of work must be rolled back; nothing has moved. The caller commits. All
    accounts of the batch are locked until then, so a long list of payments on its own is best cut into batches.
    """
    if not items:
        return []
    try:
        row = (
            session.connection().exec_driver_sql(POST_MANY, (atomic, *_by_item(items), *_by_leg(items))).one()
        )
    except DBAPIError as error:
        if isinstance(error.orig, DriverError):
            _refuse(error.orig, items)
        raise
    return [
        _outcome(item, *told)
        for item, *told in zip(items, row.txn_ids, row.outcomes, row.details, strict=True)
    ]


def _by_item(items: Sequence[BatchItem]) -> tuple[str, ...]:
    request_id = context.request_id.get()
    return (
        texts(item.reference for item in items),
        texts(item.kind for item in items),
        texts(None if item.meta is None else json.dumps(item.meta) for item in items),
        texts(None if item.effective_at is None else item.effective_at.isoformat() for item in items),
        texts(item.request_id or request_id for item in items),
    )


def _by_leg(items: Sequence[BatchItem]) -> tuple[str, ...]:
    """The legs of all items, one after the other; the first column is the number of the item."""
    legs = [
        (number, *leg, change)
        for number, item in enumerate(items, start=1)
        for leg, change in changes(item.postings)
    ]
    numbered, holders, assets, purposes, amounts = zip(*legs, strict=True)
    return numbers(numbered), numbers(holders), texts(assets), texts(purposes), numbers(amounts)


def _outcome(item: BatchItem, txn_id: int | None, outcome: str, detail: Mapping[str, Any] | None) -> Outcome:
    if outcome == NOT_ENOUGH_MONEY:
        return Outcome(None, refusal=insufficient_funds(detail or {}))
    if outcome == OTHER_CONTENT:
        return Outcome(None, refusal=ReferenceConflict(item.reference))
    return Outcome(txn_id, replayed=outcome == REPLAYED)


def _refuse(error: DriverError, items: Sequence[BatchItem]) -> None:
    """Raise what the refusal of a whole batch means; return when it is not one of ours."""
    reference = ""
    if error.sqlstate in (NOT_ENOUGH_MONEY, OTHER_CONTENT):
        reference = items[json.loads(error.diag.message_detail or "")["item"] - 1].reference
    try:
        refuse(error, reference)
    except LedgerError as refusal:
        refusal.add_note(f"In a batch, under the reference {reference}.")
        raise
