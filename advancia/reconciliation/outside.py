"""The outside: one provider's books and ours of the same time, brought side by side into `reconciliation_item`.

The provider is asked page by page, each written down with the cursor of the next, so that a run that is killed goes on
where it was. No transaction is open while it is asked. What only we have is asked about by name, since it may have
happened there long before; so what remains has really no counterpart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from advancia.core.clock import utcnow
from advancia.core.db import Session, unit_of_work
from advancia.providers.errors import ProviderError
from advancia.providers.movements import Movement
from advancia.reconciliation import matching, ours, progress, weighing
from advancia.reconciliation.asking import Asked
from advancia.reconciliation.found import BALANCE, Found, NotAnswered, Tally
from advancia.reconciliation.models import ReconciliationItem as Item
from advancia.reconciliation.models import ReconciliationRun as Run
from advancia.reconciliation.ours import Period

# Clocks differ, and news takes its time: what is this young need not be on both sides yet.
TOLERANCE = timedelta(hours=1)
ASKED_AT_MOST = 500  # things that are asked about by name; with more than that, something else is wrong
BALANCE_TRIES = 3
LISTING, ASKING, WEIGHING, DONE = "listing", "asking", "weighing", "done"

# Once for all pages: it takes longer to write a statement for each of their lines than to do all the rest.
_NEW = insert(Item).on_conflict_do_nothing().returning(Item.id)


@dataclass(frozen=True)
class Times:
    """What of the two sides a run looks at. `now` is when the provider was first asked."""

    begins: datetime
    ends: datetime
    now: datetime

    @property
    def reaches_now(self) -> bool:
        return self.ends >= self.now - TOLERANCE

    @property
    def period(self) -> Period:
        """Ours, with the tolerance at both edges: what of it is beyond the window is there to be matched, no more."""
        return Period(self.begins - TOLERANCE, self.ends + TOLERANCE)

    @property
    def young_from(self) -> datetime:
        return self.now - TOLERANCE


class Books:
    """One provider's books against ours, as a run asks for them (`found.Outside`)."""

    def __init__(self, asked: Asked, *, clock: Callable[[], datetime] = utcnow) -> None:
        self.provider: str = asked.provider
        self._asked = asked
        self._clock = clock
        self._part = progress.of_provider(asked.provider)

    def collect(self, run_id: int) -> None:
        """Bring both sides together. Raises `NotAnswered`."""
        noted, times = self._begun(run_id)
        try:
            if noted["stage"] == LISTING:
                noted = self._list(run_id, noted, times)
            if noted["stage"] == ASKING:
                noted = self._ask_by_name(run_id, noted, times)
            if noted["stage"] == WEIGHING:
                self._weigh(run_id, noted, times)
        except ProviderError as trouble:
            raise NotAnswered(
                f"The books of {self._asked.words} could not be read to their end, so nothing is proven about them. "
                f"What was told: {trouble.detail or trouble}"
            ) from trouble

    def differences(self, session: Session, run_id: int) -> Iterable[Found]:
        """What the two sides do not agree in, in the window of the run."""
        return matching.differences(session, self._pair(session, run_id))

    def tallies(self, session: Session, run_id: int) -> Iterable[Tally]:
        """How much of each sort was compared; an empty side is an alarm."""
        return matching.tallies(session, self._pair(session, run_id))

    def _begun(self, run_id: int) -> tuple[dict[str, Any], Times]:
        with unit_of_work() as session:
            noted = progress.noted(session, run_id, part=self._part)
            if "stage" not in noted:
                noted = {"stage": LISTING, "cursor": None, "now": self._clock().isoformat(), "done": 0}
                self._note(session, run_id, noted)
            return noted, _times(session, run_id, noted)

    def _list(self, run_id: int, noted: dict[str, Any], times: Times) -> dict[str, Any]:
        """Everything that the provider lists, a page a unit of work."""
        since, until = times.begins - TOLERANCE - self._asked.listed_before, _listed_until(times)
        cursor = noted["cursor"]
        while True:
            page = self._asked.page(since=since, until=until, cursor=cursor)
            cursor = page.cursor
            noted = {**noted, "cursor": cursor, "done": noted["done"] + len(page.movements)}
            if cursor is None:
                noted["stage"] = ASKING
            with unit_of_work() as session:
                self._write(session, run_id, page.movements)
                self._note(session, run_id, noted)
            if cursor is None:
                return noted

    def _ask_by_name(self, run_id: int, noted: dict[str, Any], times: Times) -> dict[str, Any]:
        """Ours, and then what the provider says of each thing that only we have."""
        with unit_of_work() as session:
            ours.bring(session, run_id=run_id, provider=self.provider, period=times.period)
        with unit_of_work() as session:
            unmatched = matching.without_counterpart(
                session, self._pair(session, run_id), limit=ASKED_AT_MOST
            )
        for what, ref in unmatched:
            told = self._asked.about(what, ref)
            if told:
                with unit_of_work() as session:
                    self._write(session, run_id, told)
        noted = {**noted, "stage": WEIGHING}
        with unit_of_work() as session:
            ours.bring(session, run_id=run_id, provider=self.provider, period=times.period)
            self._note(session, run_id, noted)
        return noted

    def _weigh(self, run_id: int, noted: dict[str, Any], times: Times) -> None:
        """What lies there by the provider's word, at a moment at which all that has led to it is written down."""
        is_to_be_weighed = times.reaches_now and BALANCE not in self._asked.not_compared
        balance = self._still_balance(run_id, times) if is_to_be_weighed else None
        with unit_of_work() as session:
            before = matching.clearing(session, self.provider)
            ours.bring(session, run_id=run_id, provider=self.provider, period=times.period)
            is_still = balance is not None and before == matching.clearing(session, self.provider)
            if is_still:
                noted |= {"balance": balance, "clearing": before}
            if is_to_be_weighed:
                noted[weighing.WEIGHED] = is_still
            self._note(session, run_id, {**noted, "stage": DONE})

    def _still_balance(self, run_id: int, times: Times) -> dict[str, int] | None:
        """None where it tells none, or where so much moves that no moment could be caught."""
        for _ in range(BALANCE_TRIES):
            told = self._asked.balance()
            if told is None or not self._news(run_id, times):
                return told
        return None

    def _news(self, run_id: int, times: Times) -> int:
        """Write down what has come since it was listed, and tell how much that is."""
        new, cursor = 0, None
        while True:
            page = self._asked.page(since=times.young_from, until=self._clock() + TOLERANCE, cursor=cursor)
            with unit_of_work() as session:
                written = self._write(session, run_id, page.movements)
            new += written
            cursor = page.cursor
            if cursor is None or not written:
                return new

    def _pair(self, session: Session, run_id: int) -> matching.Pair:
        noted = progress.noted(session, run_id, part=self._part)
        times = _times(session, run_id, noted)
        return matching.Pair(
            run_id=run_id,
            provider=self.provider,
            words=self._asked.words,
            begins=times.begins,
            ends=times.ends,
            young_from=times.young_from,
            now=times.now,
            balance=noted.get("balance"),
            clearing=noted.get("clearing"),
            not_compared={**self._asked.not_compared, **self._unweighed(noted)},
        )

    def _unweighed(self, noted: dict[str, Any]) -> dict[str, str]:
        """Why what lies there has not been weighed, though it could be."""
        if noted["stage"] != DONE or BALANCE in self._asked.not_compared or noted.get(weighing.WEIGHED):
            return {}
        why = weighing.NOT_NOW if weighing.WEIGHED not in noted else weighing.NEVER_STILL
        return {BALANCE: why.format(at=self._asked.words, tries=BALANCE_TRIES)}

    def _write(self, session: Session, run_id: int, told: Iterable[Movement]) -> int:
        """Return how many of them are new."""
        rows = [_row(run_id, self.provider, each) for each in told]
        if not rows:
            return 0
        return len(session.scalars(_NEW, rows).all())

    def _note(self, session: Session, run_id: int, noted: dict[str, Any]) -> None:
        words = f"The books of {self._asked.words}"
        progress.note(session, run_id, part=self._part, told={"words": words, **noted})


def _times(session: Session, run_id: int, noted: dict[str, Any]) -> Times:
    run = session.execute(select(Run.window_from, Run.window_upto).where(Run.id == run_id)).one()
    return Times(run.window_from, run.window_upto, datetime.fromisoformat(noted["now"]))


def _listed_until(times: Times) -> datetime:
    return min(times.ends, times.now) + TOLERANCE


def _row(run_id: int, provider: str, told: Movement) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "side": "theirs",
        "provider": provider,
        "item_id": told.id,
        "ref": told.ref,
        "what": told.what,
        "asset": told.code,
        "amount": told.amount,
        "fee": told.fee,
        "state": told.state,
        "reference": f"deposit:{told.deposit}" if told.deposit else None,
        "happened_at": told.happened_at,
    }
