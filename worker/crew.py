"""The worker's hands: rows that are due are claimed as hands are free, and run side by side.

Most of a job is waiting, for the provider, the database or the mail server, so one process does several at once. A
row is claimed only when a hand can begin it at once. What the next row does never depends on this one: a job that
fails is noted on its row, and a row that may have killed a worker is run while nothing else is.

Kinds of which many are worth doing at once are claimed in batches, one batch at a time; what a batch leaves undone is
given back, and run each row by itself.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import count

from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

from advancia.core import log, outbox
from advancia.core.db import Session, unit_of_work
from advancia.core.heartbeats import Pulse
from advancia.core.outbox import Claim, Lane
from worker import queue as bell
from worker import tasks

HANDS = 8
BATCH = 100  # rows at most
# Until more is looked for that may become a batch: after a few rows, and after a batch that was not full.
BREATH_SECONDS, LONG_BREATH_SECONDS = 0.1, 0.5
LOOK_SECONDS = 0.02  # until free hands are given new work, at the latest
STORM_LOOK_SECONDS = 0.05  # the same while batches are run: to look is not for nothing
SEARCH_SECONDS = 1.0  # between two searches for runs that never ended, where the last one found none
LINGER_SECONDS = (
    0.1  # after the last job: where rows come steadily, to look again costs less than another ring
)
LETTERS_TURN = 10  # looks, of which one takes a letter first, so that they do not wait for ever
SHIFT_SECONDS = 10.0  # for one ring: so often the worker tells that it lives, and hears that it is to stop
TOO_LONG = 70  # the exit code
PULSE = Pulse("worker")  # of this process; whoever keeps its main loop going beats it

_log = log.logger(__name__)
_crews: dict[int, Crew] = {}  # one in each process


@dataclass(frozen=True)
class Run:
    """A job that is being run, or a batch of jobs of one kind; then `claim` is the first of them."""

    claim: Claim
    begun: float
    is_batch: bool = False

    @property
    def is_overdue(self) -> bool:
        return time.monotonic() - self.begun > bell.longest(self.claim.kind)

    @property
    def is_short(self) -> bool:
        """Whether others may wait for its end."""
        return self.claim.kind not in bell.LONGER_SECONDS


class Crew:
    """So many hands, each a thread; `work_off` is called by one thread alone."""

    def __init__(self, app: Flask, *, hands: int = HANDS) -> None:
        self._app = app
        self._hands = hands
        self._pool = ThreadPoolExecutor(hands, thread_name_prefix="hand")
        self._runs: dict[Future[None], Run] = {}
        self._looks = count(1)
        self._next_batch = self._next_search = 0.0  # not before that moment

    def work_off(self, *, seconds: float = SHIFT_SECONDS) -> None:
        """Run what is due until there is nothing left, or for so many seconds; what has begun may still go on then."""
        begun = busy = time.monotonic()
        self._next_search = begun
        while (now := time.monotonic()) < begun + seconds:
            PULSE.beat()
            self._look_after_runs()
            self._begin_what_is_due()
            if short := self._short_runs():
                wait(short, timeout=self._pause)
                busy = now
            elif not self._run_a_lost_one():
                if now > busy + LINGER_SECONDS and not self._is_in_a_storm:
                    return
                time.sleep(self._pause)

    def finish(self) -> None:
        """Wait for what has begun, and begin nothing more."""
        self._pool.shutdown()

    def _begin_what_is_due(self) -> None:
        """As much as hands are free for; letters wait while a batch is run."""
        if not self._free:
            return
        with unit_of_work() as session:
            batch = self._claim_batch(session)
            is_batch = len(batch) >= tasks.FEWEST_TOGETHER
            singles = self._claim_singles(session, hands=self._free - (1 if is_batch else len(batch)))
        if is_batch:
            self._begin_batch(batch)
        for claim in singles if is_batch else batch + singles:
            self._begin(claim)

    def _claim_batch(self, session: Session) -> list[Claim]:
        if self._runs_a_batch or time.monotonic() < self._next_batch:
            return []
        claims = outbox.claim_due(session, lane=Lane.BATCH, limit=BATCH)
        if 0 < len(claims) < BATCH:
            is_batch = len(claims) >= tasks.FEWEST_TOGETHER
            self._next_batch = time.monotonic() + (LONG_BREATH_SECONDS if is_batch else BREATH_SECONDS)
        return claims

    def _claim_singles(self, session: Session, *, hands: int) -> list[Claim]:
        """What has to be run by itself; letters last, but for one now and then."""
        claims = []
        if next(self._looks) % LETTERS_TURN == 0 and hands > 0:
            claims += outbox.claim_due(session, lane=Lane.LETTERS, limit=1)
        for lane in (Lane.FIRST, *([] if self._is_in_a_storm else [Lane.LETTERS])):
            if len(claims) < hands:
                claims += outbox.claim_due(session, lane=lane, limit=hands - len(claims))
        return claims

    def _begin_batch(self, batch: list[Claim]) -> None:
        """All of them in one hand, a kind after the other."""
        future = self._pool.submit(_carry_out_batch, self._app, batch)
        self._runs[future] = Run(batch[0], time.monotonic(), is_batch=True)

    @property
    def _pause(self) -> float:
        return STORM_LOOK_SECONDS if self._is_in_a_storm else LOOK_SECONDS

    @property
    def _is_in_a_storm(self) -> bool:
        """Whether a batch is run, or the next one may be coming together."""
        return self._runs_a_batch or time.monotonic() < self._next_batch

    @property
    def _runs_a_batch(self) -> bool:
        return any(run.is_batch for run in self._runs.values())

    @property
    def _free(self) -> int:
        return max(0, self._hands - len(self._runs))

    def _run_a_lost_one(self) -> bool:
        """Run a row whose last run never ended, which may be its own fault, alone; false when there is none."""
        if not self._free or time.monotonic() < self._next_search:
            return False
        with unit_of_work() as session:
            claim = outbox.claim_lost(session)
        if claim is None:
            self._next_search = time.monotonic() + SEARCH_SECONDS
            return False
        future = self._begin(claim)
        while self._runs[future].is_short and not future.done():
            wait([future], timeout=1.0)
            PULSE.beat()
            self._end_if_overdue(self._runs[future])
        return True

    def _begin(self, claim: Claim) -> Future[None]:
        future = self._pool.submit(_carry_out, self._app, claim)
        self._runs[future] = Run(claim, time.monotonic())
        return future

    def _short_runs(self) -> list[Future[None]]:
        return [future for future, run in self._runs.items() if run.is_short]

    def _look_after_runs(self) -> None:
        for future in [each for each in self._runs if each.done()]:
            del self._runs[future]
        for run in self._runs.values():
            self._end_if_overdue(run)

    @staticmethod
    def _end_if_overdue(run: Run) -> None:
        """A thread cannot be broken off, so the process ends; its rows are tried again, this one alone."""
        if run.is_overdue:
            _log.error("job_too_long", job=run.claim.kind, outbox=run.claim.outbox_id)
            os._exit(TOO_LONG)


def work_off() -> None:
    """Run every job that is due: what a ring asks for. RQ calls it within an app context.

    Trouble with the database is logged: the relay rings again as long as rows are due.
    """
    try:
        _crew_of_this_process().work_off()
    except DBAPIError as trouble:
        _log.warning("worker_waits", trouble=f"{type(trouble).__name__}: {trouble}")


def finish() -> None:
    """Wait for the jobs that have begun, at the end of the process."""
    if (crew := _crews.pop(os.getpid(), None)) is not None:
        crew.finish()


def _crew_of_this_process() -> Crew:
    pid = os.getpid()
    if pid not in _crews:
        _crews[pid] = Crew(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - for threads
    return _crews[pid]


def _carry_out(app: Flask, claim: Claim) -> None:
    try:
        with app.app_context():
            tasks.run(claim)
    except Exception as trouble:  # noqa: BLE001 - not even its failure could be noted: the row is taken for lost later
        _log.warning("job_lost", job=claim.kind, outbox=claim.outbox_id, exc_info=trouble)


def _carry_out_batch(app: Flask, batch: list[Claim]) -> None:
    for kind in {each.kind for each in batch}:
        claims = [each for each in batch if each.kind == kind]
        try:
            with app.app_context():
                tasks.run_batch(claims)
        except Exception as trouble:  # noqa: BLE001 - what is not done could not be given back: it is taken for lost later
            _log.warning("batch_lost", job=kind, count=len(claims), exc_info=trouble)
