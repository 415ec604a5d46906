"""The ledger as tests use it: sessions of the app's role, each call a unit of work of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.config import Settings, sqlalchemy_url
from advancia.core.money import Money
from advancia.ledger import Posted, Posting, available, clearing, held, receivable

RIVALS = 25  # connections at once; the test server has a hundred for all test processes


class Bank:
    """Posts, each time in a unit of work of its own, on as many threads as wanted."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def session(self) -> Session:
        return Session(self.engine)

    def post(
        self, *postings: Posting, reference: str | None = None, kind: str = "test", **more: Any
    ) -> Posted:
        with self.session() as session:
            posted = ledger.post(
                session, reference=reference or f"test:{uuid4()}", kind=kind, postings=postings, **more
            )
            session.commit()
            return posted

    def pay_in(self, user_id: int, amount: Money, **more: Any) -> Posted:
        return self.post(Posting(clearing("sandbox"), available(user_id), amount), kind="deposit", **more)

    def send(self, source: int, destination: int, amount: Money, **more: Any) -> Posted:
        return self.post(Posting(available(source), available(destination), amount), kind="transfer", **more)

    def do(self, action: Callable[..., Posted], **words: Any) -> Posted:
        """Call `ledger.hold`, `ledger.capture` and the like."""
        with self.session() as session:
            posted = action(session, **words)
            session.commit()
            return posted

    def balances(self, user_id: int, like: Money) -> tuple[str, str, str]:
        """What is available, held, and owed (negative), as figures."""
        with self.session() as session:
            of = (ledger.balance(session, key(user_id), like.asset) for key in (available, held, receivable))
            first, second, third = (balance.figure() for balance in of)
            return first, second, third

    def available(self, user_id: int, like: Money) -> Money:
        with self.session() as session:
            return ledger.balance(session, available(user_id), like.asset)


def race(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make all calls at once; the outcome of each, which is what it returned or raised."""

    def outcome(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - it is the outcome
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(outcome, calls))


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[Engine]:
    engine = create_engine(sqlalchemy_url(settings.database_url), pool_size=RIVALS, max_overflow=0)
    yield engine
    engine.dispose()


@pytest.fixture
def bank(engine: Engine) -> Bank:
    return Bank(engine)


@pytest.fixture
def app_connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.database_url) as connection:
        yield connection
        connection.rollback()


_scratch = count(1)


@pytest.fixture
def scratch_name(worker_id: str) -> str:
    """The name of a database that no other test uses."""
    return f"scratch_{worker_id}_{next(_scratch)}"
