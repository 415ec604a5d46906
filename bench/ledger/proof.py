"""The proof and the seals of a long history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from advancia.config import sqlalchemy_url
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available, check, check_sql, seals
from advancia.ledger.batches import BatchItem, post_many
from bench.calls import Once
from bench.runner import Contender, NotHere
from bench.server import Server

KEYS = [("bench", b"a key for a benchmark, which guards nothing")]

GROUPED = text("select account_id, sum(amount), count(*) from ledger.entry group by account_id")


class Proof:
    """Checks of one database, against a plain sum of the same entries."""

    def __init__(self, server: Server, database: str, label: str, *, entries: int, news: int) -> None:
        self.label = label
        self.entries = entries
        self.news = news
        self.engine: Engine = create_engine(sqlalchemy_url(server.url(database)))
        self.is_noted = False

    def close(self) -> None:
        self.engine.dispose()

    def contenders(self, *, smallest: str) -> list[Contender]:
        quick = f"quick check of {self.news} transactions"
        grouped = f"sum and count by account, {self.label}"
        before = None if smallest == self.label else f"{quick}, {smallest}"
        return [
            Once(grouped, self._group, unit="entries"),
            Once(
                f"accounts of the full check, {self.label}", self._accounts, unit="entries", against=grouped
            ),
            Once(f"full check, {self.label}", self._full, unit="entries", against=grouped),
            Once(
                f"{quick}, {self.label}",
                self._quick,
                unit="checks",
                against=before,
                prepare=self._post_news,
            ),
        ]

    def _group(self) -> float:
        with Session(self.engine) as session:
            session.execute(GROUPED).all()
        return self.entries

    def _accounts(self) -> float:
        """The one pass of the full check that proves every balance, number and chain."""
        with Session(self.engine) as session:
            if session.execute(text(check_sql.ACCOUNTS), {"seed": 1}).all():
                raise NotHere("the accounts are wrong")
        return self.entries

    def _full(self) -> float:
        with Session(self.engine) as session:
            report = check.run(session)
        _require(report)
        return float(report.entries)

    def _quick(self) -> float:
        with Session(self.engine) as session:
            _require(check.run_quick(session))
        return 1

    def _post_news(self) -> None:
        if not self.is_noted:
            self._quick()  # the first goes from the beginning
            self.is_noted = True
        one = Money(1, asset("USD"))
        items = [
            BatchItem(uuid4().hex, "transfer", [Posting(available(number), available(number + 1), one)])
            for number in (1 + each % 10 for each in range(self.news))
        ]
        with Session(self.engine) as session:
            post_many(session, items, atomic=True)
            session.commit()


def _require(report: check.LedgerReport) -> None:
    if not report.is_right:
        raise NotHere(f"the books are wrong: {report.differences[0]}")


class Sealing:
    """Sealing a history that was never sealed, some blocks a turn."""

    def __init__(self, server: Server, database: str, label: str, *, block: int) -> None:
        self.engine: Engine = create_engine(sqlalchemy_url(server.url(database)))
        self.label = label
        self.block = block
        self.session = Session(self.engine)
        self.made: Iterator[seals.Seal] | None = None

    def contender(self) -> Contender:
        return Once(f"sealing, {self.label}", self._seal, unit="entries", prepare=self._begin)

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()

    def _begin(self) -> None:
        if self.made is None:
            self.made = seals.seal(self.session, KEYS, block=self.block)
            next(self.made)  # the first also waits for the horizon

    def _seal(self) -> float:
        found = None if self.made is None else next(self.made, None)
        if found is None:
            raise NotHere("everything was sealed before the last round")
        return found.entries


def sealer(server: Server, database: str) -> tuple[Callable[[], int], Callable[[], None]]:
    """Seal all there is, once a call; and the end of it."""
    engine = create_engine(sqlalchemy_url(server.url(database)))

    def seal() -> int:
        with Session(engine) as session:
            return sum(each.entries for each in seals.seal(session, KEYS))

    return seal, engine.dispose
