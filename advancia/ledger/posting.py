"""Moving money."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Error as DriverError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from advancia.core import context, money
from advancia.core.driver import one_row
from advancia.core.lockdown import MoneyPaused
from advancia.core.money import Money
from advancia.ledger.accounts import AccountKey
from advancia.ledger.errors import InsufficientFunds, MalformedPosting, ReferenceConflict

POST = (
    "select txn_id, replayed from ledger.post(%s, %s, %s::bigint[], %s::text[], %s::text[], %s::numeric[],"
    " %s::jsonb, %s, %s)"
)

NOT_ENOUGH_MONEY = "LG402"
OTHER_CONTENT = "LG409"
MALFORMED = "LG422"
POSTED_BEFORE = "LG423"
TOO_LARGE = "22003"
PAUSED = "LG503"


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount`, which is above zero, goes from `source` to `destination`."""

    source: AccountKey
    destination: AccountKey
    amount: Money


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it. `replayed`: it had been posted before, and nothing moved now."""

    txn_id: int
    replayed: bool


Leg = tuple[int, str, str]  # holder, asset, purpose: an account, in the order in which they are locked


def post(
    session: Session,
    *,
    reference: str,
    kind: str,
    postings: Iterable[Posting],
    meta: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
) -> Posted:
    """Post all of `postings` as one transaction, at most once for `reference`, in one round trip.

    Missing accounts are opened. `meta` describes the transaction to people; no secrets. `effective_at` is
    when it counts, if that is not now. A repeat with the same content gives the first transaction again.

    Raises `InsufficientFunds`, `ReferenceConflict`, and `MalformedPosting` for what can never be right,
    which includes a second posting in one database transaction. After any of them the caller's unit of
    work must be rolled back; nothing has moved and the reference is free. The caller commits.
    While money is paused, this and all other ways to post raise `MoneyPaused`.
    """
    legs = changes(postings)
    with refusals(reference):
        return carry_out(session, POST, _parameters(reference, kind, legs, meta, effective_at))


def carry_out(session: Session, sql: str, parameters: tuple[Any, ...]) -> Posted:
    """Call one of the functions that post, in one round trip."""
    txn_id, replayed = one_row(session, sql, parameters)
    return Posted(txn_id, replayed)


@contextmanager
def refusals(reference: str) -> Iterator[None]:
    """Raise what the database's refusal to post under `reference` means; let other errors through as they are."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, DriverError):
            refuse(error.orig, reference)
        raise


def changes(postings: Iterable[Posting]) -> list[tuple[Leg, int]]:
    """The change of each account, ascending as the database wants it (code points, as collation "C")."""
    legs: dict[Leg, int] = {}
    for posting in postings:
        amount = posting.amount
        if amount.minor <= 0:
            raise MalformedPosting(f"A posting moves an amount above zero, not {amount}.")
        for (holder, purpose), change in (
            (posting.source, -amount.minor),
            (posting.destination, amount.minor),
        ):
            leg = (holder, amount.asset.code, purpose)
            legs[leg] = legs.get(leg, 0) + change
    changed = sorted((leg, change) for leg, change in legs.items() if change)
    if not changed:
        raise MalformedPosting("These postings move nothing.")
    return changed


def _parameters(
    reference: str,
    kind: str,
    legs: list[tuple[Leg, int]],
    meta: Mapping[str, Any] | None,
    effective_at: datetime | None,
) -> tuple[Any, ...]:
    return (
        reference,
        kind,
        numbers(holder for (holder, _, _), _ in legs),
        texts(asset for (_, asset, _), _ in legs),
        texts(purpose for (_, _, purpose), _ in legs),
        numbers(change for _, change in legs),
        None if meta is None else json.dumps(meta),
        effective_at,
        context.request_id.get(),
    )


def numbers(values: Iterable[int | None]) -> str:
    """An array as its literal: a list would get another type, and so another plan, for each size of number."""
    return f"{{{','.join('null' if value is None else str(value) for value in values)}}}"


def texts(values: Iterable[str | None]) -> str:
    """An array as its literal, which is several times quicker than a list."""
    return f"{{{','.join(map(_quoted, values))}}}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "null"
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def refuse(error: DriverError, reference: str) -> None:
    """Raise what the database's refusal means; return when it is not one of ours."""
    if error.sqlstate == NOT_ENOUGH_MONEY:
        raise insufficient_funds(json.loads(error.diag.message_detail or "")) from None
    if error.sqlstate == OTHER_CONTENT:
        raise ReferenceConflict(reference) from None
    if error.sqlstate in (MALFORMED, POSTED_BEFORE, TOO_LARGE):
        raise MalformedPosting(error.diag.message_primary) from None
    if error.sqlstate == PAUSED:
        raise MoneyPaused from None


def insufficient_funds(told: Mapping[str, Any]) -> InsufficientFunds:
    """What the database tells of an account without enough money: holder, asset, purpose, available, asked."""
    asset = money.asset(told["asset"])
    return InsufficientFunds(
        AccountKey(told["holder"], told["purpose"]),
        available=Money(told["available"], asset),
        asked=Money(told["asked"], asset),
    )
