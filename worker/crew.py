"""The worker's hands: rows that are due are claimed as hands are free, and run side by side.

Most of a job is waiting, for the provider, the database or the mail server, so one process does several at once. A
row is claimed only when a hand can begin it at once. What the next row does never depends on this one: a job that
fails is noted on its row, and a row that may have killed a worker is run while nothing else is.
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
from advancia.core.db import unit_of_work
from advancia.core.outbox import Claim
from worker import queue as bell
from worker import tasks

HANDS = 8
LOOK_SECONDS = 0.02  # until free hands are given new work, at the latest
LINGER_SECONDS = (
    0.1  # after the last job: where rows come steadily, to look again costs less than another ring
)
LETTERS_TURN = 10  # looks, of which one treats letters like all else, so that they do not wait for ever
SHIFT_SECONDS = 10.0  # for one ring: so often the worker tells that it lives, and hears that it is to stop
TOO_LONG = 70  # the exit code

_log = log.logger(__name__)
_crews: dict[int, Crew] = {}  # one in each process


@dataclass(frozen=True)
class Run:
    """A job that is being run."""

    claim: Claim
    begun: float

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

    def work_off(self, *, seconds: float = SHIFT_SECONDS) -> None:
        """Run what is due until there is nothing left, or for so many seconds; what has begun may still go on then."""
        begun = busy = time.monotonic()
        while (now := time.monotonic()) < begun + seconds:
            self._look_after_runs()
            for claim in self._claim():
                self._begin(claim)
            if short := self._short_runs():
                wait(short, timeout=LOOK_SECONDS)
                busy = now
            elif not self._run_a_lost_one():
                if now > busy + LINGER_SECONDS:
                    return
                time.sleep(LOOK_SECONDS)

    def finish(self) -> None:
        """Wait for what has begun, and begin nothing more."""
        self._pool.shutdown()

    def _claim(self) -> list[Claim]:
        """As much as hands are free for: letters only where nothing else is due, and in their turn now and then."""
        free = self._hands - len(self._runs)
        if free == 0:
            return []
        with unit_of_work() as session:
            claims = []
            if next(self._looks) % LETTERS_TURN:
                claims = outbox.claim_due(session, limit=free, but_letters=True)
            if len(claims) < free:
                claims += outbox.claim_due(session, limit=free - len(claims))
            return claims

    def _run_a_lost_one(self) -> bool:
        """Run a row whose last run never ended, which may be its own fault, alone; false when there is none."""
        if len(self._runs) == self._hands:
            return False
        with unit_of_work() as session:
            claim = outbox.claim_lost(session)
        if claim is None:
            return False
        future = self._begin(claim)
        while self._runs[future].is_short and not future.done():
            wait([future], timeout=1.0)
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
