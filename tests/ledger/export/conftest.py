"""Ledgers of their own to export."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from advancia import ledger
from advancia.core.money import ASSETS, Money, asset
from advancia.ledger import Posting, available, clearing, house, receivable
from tests.conftest import TEMPLATE
from tests.ledger.export.readers import HOSTILE, Ledger


@pytest.fixture(scope="module")
def new_ledger(servers, worker_id) -> Iterator:
    made: list[tuple[str, Ledger]] = []

    def new() -> Ledger:
        name = f"export_{worker_id}_{len(made)}"
        servers.postgres.create_database(name, owner="advancia_owner", template=TEMPLATE)
        made.append((name, Ledger(servers.environ(name, var=servers.folder / name))))
        return made[-1][1]

    yield new
    for name, ledger_of_test in made:
        ledger_of_test.engine.dispose()
        servers.postgres.drop_database(name)


@pytest.fixture(scope="module")
def some(new_ledger) -> Ledger:
    """Every asset, to the last unit; every kind of account; every hostile text."""
    some = new_ledger()
    chance = random.Random(1)
    for code in ASSETS:
        for user in range(1, 5):
            minor = 10 ** (ASSETS[code].decimals + 6) + chance.randrange(10**6)
            some.bank.pay_in(user, Money(minor, asset(code)))
    for number, text in enumerate(HOSTILE):
        code = chance.choice(list(ASSETS))
        source, destination = chance.sample(range(1, 5), 2)
        some.bank.post(
            Posting(
                available(source), available(destination), Money(chance.randrange(1, 10**6), asset(code))
            ),
            Posting(available(source), house("fees"), Money(1, asset(code))),
            kind=text.strip("\0 ") or "transfer",
            reference=f"{number}:{text}",
            meta={"note": text, "more": {text: [1, None, text]}},
            effective_at=datetime(2026, 1, 31, 23, 59, 59, 999999, UTC) if number % 2 else None,
        )
    one = Money(1, asset("ETH"))
    some.bank.do(ledger.hold, reference="hold", kind="hold", user_id=1, amount=one)
    some.bank.post(Posting(receivable(2), house("suspense"), one), kind="shortfall")
    for purpose in ("treasury", "promotions", "rounding", "equity"):
        some.bank.post(Posting(clearing("stripe"), house(purpose), one), kind="move", meta={"note": 7})
    return some


@pytest.fixture(scope="module")
def newest(some) -> int:
    with psycopg.connect(some.environ["DATABASE_URL"]) as connection:
        return connection.execute("select max(id) from ledger.txn").fetchone()[0]
