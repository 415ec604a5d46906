"""Reading: the same questions to histories of different lengths."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.config import sqlalchemy_url
from advancia.core.money import asset
from advancia.ledger import available, house
from bench.calls import Calls
from bench.runner import Contender, NotHere, Turn
from bench.server import Server

PAGE = 25
DEEP = 1  # the customer with a tenth of all entries
USUAL = 7

MIDDLE = text("""
    select t.created_at, e.txn_id, e.account_id, t.reference
    from ledger.account a join ledger.entry e on e.account_id = a.id join ledger.txn t on t.id = e.txn_id
    where a.holder = :holder and a.asset = 'USD' and e.seq = (a.seq + 1) / 2
""")


class Books:
    """A ledger of so many entries, and the questions that pages ask of it."""

    def __init__(self, server: Server, database: str, label: str) -> None:
        self.label = label
        self.engine = create_engine(sqlalchemy_url(server.url(database)))
        self.session = Session(self.engine)
        self.usual = self._middle_of(USUAL)
        self.deep = self._middle_of(DEEP)

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()

    def questions(self) -> dict[str, Callable[[], object]]:
        before = ledger.Cursor(self.deep.txn_id, self.deep.account_id)
        since, until = self.deep.created_at - timedelta(days=30), self.deep.created_at
        usd, session = asset("USD"), self.session
        return {
            "balances of a customer": lambda: ledger.balances_of(session, USUAL),
            "balance of a house account": lambda: ledger.balance(session, house("fees"), usd),
            "version of a customer": lambda: ledger.version_of(session, USUAL),
            "a transaction with its legs": lambda: ledger.transaction(session, self.usual.reference),
            "first page": self._page(USUAL),
            "first page, deep history": self._page(DEEP),
            "page in the middle, deep history": self._page(DEEP, before=before),
            "filter: asset": self._page(DEEP, assets=["ETH"]),
            "filter: kind": self._page(DEEP, kinds=["withdrawal"]),
            "filter: kind that never was": self._page(DEEP, kinds=["never"]),
            "filter: a month, kind that never was, out": self._page(
                DEEP, since=since, until=until, kinds=["never"], direction="out"
            ),
            "filter: money in": self._page(DEEP, direction="in"),
            "filter: money out": self._page(DEEP, direction="out"),
            "filter: a month": self._page(DEEP, since=since, until=until),
            "filter: a month, asset, kind, in": self._page(
                DEEP, since=since, until=until, assets=["USD"], kinds=["deposit"], direction="in"
            ),
            "filter: until, in the middle": self._page(DEEP, until=until),
            "balance as of a time": self._balance_at(),
        }

    def contenders(self, *, smallest: str) -> list[Contender]:
        return [
            self._contender(question, ask, None if smallest == self.label else f"{question}, {smallest}")
            for question, ask in self.questions().items()
        ]

    def _contender(self, question: str, ask: Callable[[], object], against: str | None) -> Contender:
        def call() -> int:
            ask()
            self.session.rollback()
            return 1

        return Calls(f"{question}, {self.label}", call, against=against)

    def _page(self, holder: int, **asked: Any) -> Callable[[], object]:
        return lambda: ledger.entries_of(self.session, holder, limit=PAGE, **asked)

    def _balance_at(self) -> Callable[[], object]:
        balance_at = getattr(ledger, "balance_at", None)
        if balance_at is None:
            return _absent
        return lambda: balance_at(self.session, available(DEEP), asset("USD"), self.deep.created_at)

    def _middle_of(self, holder: int) -> Any:
        return self.session.execute(MIDDLE, {"holder": holder}).one()


def _absent() -> Turn:
    raise NotHere("there is no such function yet")
