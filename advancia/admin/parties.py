"""Who stands behind the accounts of transactions: customers by name, the house by what the account is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from advancia.core.db import Session
from advancia.identity import queries as identity
from advancia.identity.queries import Person
from advancia.ledger.accounts import HOUSE, AccountKey
from advancia.ledger.staff_queries import TransactionRow

PURPOSE_WORDS = {"available": "available", "held": "held", "receivable": "owed"}
KIND_WORDS = {
    "deposit": "Deposit",
    "transfer": "Transfer",
    "opening": "Opening balance",
    "reversal": "Rollback",
    "refund": "Refund",
    "hold": "Hold",
    "capture": "Capture",
    "release": "Release",
}


def named(session: Session, rows: Iterable[TransactionRow]) -> Mapping[int, Person]:
    """The people of those transactions, by id."""
    return of_accounts(session, (key for row in rows for key in (*row.sources, *row.destinations)))


def of_accounts(session: Session, keys: Iterable[AccountKey]) -> Mapping[int, Person]:
    """The people of those accounts, by id."""
    return identity.people(session, {key.holder for key in keys} - {HOUSE})


def house_words(purpose: str) -> str:
    """`clearing.stripe` as `Clearing, stripe`."""
    first, *rest = purpose.split(".")
    return ", ".join([first.replace("_", " ").capitalize(), *rest])


def kind_words(kind: str) -> str:
    return KIND_WORDS.get(kind, kind.replace("_", " ").capitalize())
