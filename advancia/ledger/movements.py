"""Postings that speak of an earlier one: holds and how they end, reversals, refunds.

What an earlier transaction moved is read from its stored entries inside the database, never from the caller.
Each of these is one round trip and at most once for its `reference`; a repeat with the same content gives the first
transaction again (`replayed`). Each is a posting, so the rules of `post` hold: one in a database transaction; after an
error the caller's unit of work must be rolled back, nothing has moved and the reference is free; the caller commits.

All raise `InsufficientFunds`, `ReferenceConflict` and `MalformedPosting` as `post` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Error as DriverError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from advancia.core import context, money
from advancia.core.money import Money
from advancia.ledger.accounts import AccountKey, available
from advancia.ledger.errors import (
    AlreadyDone,
    AlreadyRefunded,
    AlreadyResolved,
    AlreadyReversed,
    CaptureTooLarge,
    LedgerError,
    MalformedPosting,
    NoSuchTransaction,
    NotRefundable,
    NotReversible,
    RefundTooLarge,
)
from advancia.ledger.posting import Posted, carry_out, numbers, refusals

HOLD = "select txn_id, replayed from ledger.hold(%s, %s, %s, %s, %s::numeric, %s::jsonb, %s, %s)"
RESOLVE = (
    "select txn_id, replayed from ledger.resolve(%s, %s, %s, %s, %s::bigint[], %s::text[], %s::numeric[],"
    " %s::jsonb, %s, %s)"
)
REVERSE = "select txn_id, replayed from ledger.reverse(%s, %s, %s, %s, %s::jsonb, %s, %s)"
REFUND = (
    "select txn_id, replayed from ledger.refund(%s, %s, %s, %s, %s::numeric, %s, %s, %s, %s::jsonb, %s, %s)"
)

DONE: dict[str, type[AlreadyDone]] = {
    "resolved": AlreadyResolved,
    "reversed": AlreadyReversed,
    "refunded": AlreadyRefunded,
}


def hold(
    session: Session,
    *,
    reference: str,
    kind: str,
    user_id: int,
    amount: Money,
    meta: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
) -> Posted:
    """Set `amount` of the customer's money aside, until `capture` or `release` ends the hold."""
    holder, _ = available(user_id)
    parameters = (reference, kind, holder, amount.asset.code, str(amount.minor))
    with refusals(reference):
        return carry_out(session, HOLD, (*parameters, *_told(meta, effective_at)))


def capture(
    session: Session,
    *,
    hold_reference: str,
    reference: str,
    destination: AccountKey,
    amount: Money | None = None,
    besides: Mapping[AccountKey, Money] | None = None,
    kind: str = "capture",
    meta: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
) -> Posted:
    """Send what was held on to `destination`: all of it, or `amount`; the rest becomes available again.

    `besides` says what goes elsewhere, such as a fee to the house; without `amount`, `destination` then gets what that
    leaves. Of all captures and releases of a hold one wins.

    Raises `AlreadyResolved`, `CaptureTooLarge`, `NoSuchTransaction` when there is no hold under `hold_reference`.
    """
    shares: list[tuple[AccountKey, Money | None]] = [(destination, amount), *(besides or {}).items()]
    return _resolve(
        session,
        hold_reference=hold_reference,
        reference=reference,
        kind=kind,
        shares=shares,
        meta=meta,
        effective_at=effective_at,
    )


def release(
    session: Session,
    *,
    hold_reference: str,
    reference: str,
    kind: str = "release",
    meta: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
) -> Posted:
    """Give all that was held back to its owner. Raises `AlreadyResolved` and `NoSuchTransaction` as `capture` does."""
    return _resolve(
        session,
        hold_reference=hold_reference,
        reference=reference,
        kind=kind,
        shares=[],
        meta=meta,
        effective_at=effective_at,
    )


def reverse(
    session: Session,
    *,
    transaction_reference: str,
    reference: str,
    reason: str,
    allow_debt: bool = False,
    kind: str = "reversal",
    effective_at: datetime | None = None,
) -> Posted:
    """Undo a transaction, at most once, by the mirror of all its entries. `reason` becomes its `meta`.

    Money that was spent meanwhile is refused, or with `allow_debt` becomes a debt: what a customer's account lacks
    is taken from the customer's `receivable` in the same transaction. What a capture took out of a hold comes back as
    available money, since the hold stays resolved.

    Raises `AlreadyReversed`; `AlreadyRefunded`, if a refund of it stands; `NotReversible` for a hold (release it), a
    release or a reversal; `NoSuchTransaction`.
    """
    told = _told({"reason": reason}, effective_at)
    with _undoing(transaction_reference), refusals(reference):
        return carry_out(session, REVERSE, (transaction_reference, reference, kind, allow_debt, *told))


def refund(
    session: Session,
    *,
    transaction_reference: str,
    reference: str,
    amount: Money,
    destination: AccountKey | None = None,
    allow_debt: bool = False,
    kind: str = "refund",
    meta: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
) -> Posted:
    """Give back `amount` of what a customer got by a transaction, to who paid it or to `destination`.

    There may be several refunds, up to what the customer got; one that is reversed makes room again. Fees that
    others got are not part of it. Money that was spent is refused, or with `allow_debt` becomes a debt as in `reverse`.

    Raises `RefundTooLarge`, which tells what is left; `AlreadyReversed`; `NotRefundable` for a hold, a reversal, a
    refund, and unless one customer got money of one asset from one account; `NoSuchTransaction`.
    """
    holder, purpose = destination or (None, None)
    parameters = (
        transaction_reference,
        reference,
        kind,
        amount.asset.code,
        str(amount.minor),
        holder,
        purpose,
    )
    with _undoing(transaction_reference), refusals(reference):
        return carry_out(session, REFUND, (*parameters, allow_debt, *_told(meta, effective_at)))


def _resolve(
    session: Session,
    *,
    hold_reference: str,
    reference: str,
    kind: str,
    shares: list[tuple[AccountKey, Money | None]],
    meta: Mapping[str, Any] | None,
    effective_at: datetime | None,
) -> Posted:
    assets = {amount.asset.code for _, amount in shares if amount is not None}
    if len(assets) > 1:
        raise MalformedPosting("What is held is of one asset.")
    parameters = (
        hold_reference,
        reference,
        kind,
        next(iter(assets), None),
        numbers(holder for (holder, _), _ in shares),
        [purpose for (_, purpose), _ in shares],
        numbers(None if amount is None else amount.minor for _, amount in shares),
    )
    with _undoing(hold_reference), refusals(reference):
        return carry_out(session, RESOLVE, (*parameters, *_told(meta, effective_at)))


def _told(meta: Mapping[str, Any] | None, effective_at: datetime | None) -> tuple[Any, ...]:
    return (None if meta is None else json.dumps(meta), effective_at, context.request_id.get())


@contextmanager
def _undoing(of_reference: str) -> Iterator[None]:
    """Raise what a refusal means that has to do with the earlier transaction."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, DriverError) and (refusal := _refusal(error.orig, of_reference)):
            raise refusal from None
        raise


def _refusal(error: DriverError, of_reference: str) -> LedgerError | None:
    told = json.loads(error.diag.message_detail or "{}") if (error.sqlstate or "").startswith("LG") else {}
    match error.sqlstate:
        case "LG404":
            return NoSuchTransaction(of_reference)
        case "LG405":
            return NotReversible(of_reference, why=told["why"])
        case "LG406":
            return NotRefundable(of_reference, why=told["why"])
        case "LG410":
            return DONE[told["why"]](of_reference, by=told["by"])
        case "LG413":
            return _too_large(told, of_reference)
        case _:
            return None


def _too_large(told: dict[str, Any], of_reference: str) -> LedgerError:
    asset = money.asset(told["asset"])
    limit, asked = Money(told["limit"], asset), Money(told["asked"], asset)
    if told["of"] == "hold":
        return CaptureTooLarge(of_reference, held=limit, asked=asked)
    return RefundTooLarge(of_reference, left=limit, asked=asked)
