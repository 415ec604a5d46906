"""Batches as tests write them down, and the same things one by one."""

from __future__ import annotations

from uuid import uuid4

from advancia import ledger
from advancia.core.money import Money, asset
from advancia.ledger import (
    AccountKey,
    BatchItem,
    LedgerError,
    Outcome,
    Posting,
    available,
    check,
    clearing,
)
from tests.ledger.conftest import Bank

USD, ETH = asset("USD"), asset("ETH")


def usd(minor: int) -> Money:
    return Money(minor, USD)


def pay(
    source: AccountKey, destination: AccountKey, amount: Money, reference: str | None = None
) -> BatchItem:
    return BatchItem(reference or f"batch:{uuid4()}", "test", [Posting(source, destination, amount)])


def pay_in(user: int, amount: Money, reference: str | None = None) -> BatchItem:
    return pay(clearing("sandbox"), available(user), amount, reference)


def send(source: int, destination: int, amount: Money, reference: str | None = None) -> BatchItem:
    return pay(available(source), available(destination), amount, reference)


def post_many(bank: Bank, items: list[BatchItem], *, atomic: bool) -> list[Outcome]:
    with bank.session() as session:
        outcomes = ledger.post_many(session, items, atomic=atomic)
        session.commit()
        return outcomes


def one_by_one(bank: Bank, items: list[BatchItem]) -> list[Outcome]:
    outcomes = []
    for item in items:
        try:
            posted = bank.post(
                *item.postings,
                reference=item.reference,
                kind=item.kind,
                meta=item.meta,
                effective_at=item.effective_at,
            )
            outcomes.append(Outcome(posted.txn_id, posted.replayed))
        except LedgerError as refusal:
            outcomes.append(Outcome(None, refusal=refusal))
    return outcomes


def prove(bank: Bank) -> None:
    with bank.session() as session:
        report = check.run(session)
    assert report.is_right, report.differences
