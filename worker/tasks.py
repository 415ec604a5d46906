"""How a job is written, found and run.

A job is a function with `@job(Job.NAME)` in `worker.jobs.<feature>`. It is called with a `Task` and the payload of its
outbox row. It may run more than once and die between any two lines; what it changes in the database it changes
inside `task.finish()`, which marks the row done in the same transaction, so that this part happens exactly once.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import current_app
from sqlalchemy import func, update

from advancia.core import context, log, outbox, outbox_batches
from advancia.core.db import Session, db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.lockdown import MoneyPaused, Watch
from advancia.core.outbox import Claim, OutboxRow
from worker import jobs

JobFunction = Callable[..., None]
Function = TypeVar("Function", bound=JobFunction)
BatchFunction = Callable[[list[Claim]], set[int]]

FEWEST_TOGETHER = 3  # rows; fewer are not worth a batch

_log = log.logger(__name__)
_functions: dict[str, JobFunction] = {}
_batch_functions: dict[str, BatchFunction] = {}


class DoneElsewhere(Exception):
    """Another run of the same row has finished it; what this run wanted to change is rolled back."""


@dataclass
class Task:
    """This run of a job: its row, its secret, and the way to finish it."""

    claim: Claim
    is_finished: bool = False
    outcome: str | None = None  # what there is to say of the run, for staff; written down when it ends well
    begun: float = field(default_factory=time.monotonic)

    @property
    def secret(self) -> dict[str, Any]:
        return self.claim.secret

    @property
    def is_last_try(self) -> bool:
        return self.claim.attempt >= outbox.MAX_ATTEMPTS

    @contextmanager
    def finish(self) -> Iterator[Session]:
        """A unit of work which commits the job's effect and the row's `done` together.

        Raises `DoneElsewhere` when another run was quicker.
        """
        with unit_of_work() as session:
            if not outbox.mark_done(session, self.claim.outbox_id):
                raise DoneElsewhere
            yield session
            self.note_outcome(session)
        self.is_finished = True

    def note_outcome(self, session: Session) -> None:
        if self.outcome is not None:
            seconds = time.monotonic() - self.begun
            outbox.note_outcome(session, self.claim.outbox_id, self.outcome, seconds=seconds)

    @contextmanager
    def kept(self, *, every: float = outbox.PATIENCE.total_seconds() / 3) -> Iterator[None]:
        """Let nobody take this run for lost as long as it works: for jobs that may outlast the outbox's patience.

        A thread says every so many seconds that the row is still in hand; it ends with the run, or with its process.
        """
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - a thread needs it whole
        over = threading.Event()

        def say() -> None:
            while not over.wait(every):
                with app.app_context(), unit_of_work() as session:
                    in_hand = update(OutboxRow).where(OutboxRow.id == self.claim.outbox_id)
                    session.execute(in_hand.values(handed_at=func.now()))

        voice = threading.Thread(target=say, daemon=True)
        voice.start()
        try:
            yield
        finally:
            over.set()
            voice.join()


def job(name: Job) -> Callable[[Function], Function]:
    """Make the function the one that runs jobs of that name."""

    def register(function: Function) -> Function:
        if name.value in _functions:
            raise RuntimeError(f"Two functions want to be {name.value}.")
        _functions[name.value] = function
        return function

    return register


def batch_job(name: Job) -> Callable[[BatchFunction], BatchFunction]:
    """Make the function the one that does many rows of that job at once; the job must stand in `IN_BATCHES`.

    It is called with the first tries of some rows and returns the ids of those that it has done, and marked so in the
    same transaction. All others, and all of them if it raises, are given back and run by the job's own function.
    """

    def register(function: BatchFunction) -> BatchFunction:
        _batch_functions[name.value] = function
        return function

    return register


def functions() -> dict[str, JobFunction]:
    """Every job by its name."""
    for module in pkgutil.iter_modules(jobs.__path__):
        importlib.import_module(f"{jobs.__name__}.{module.name}")
    return _functions


def perform(outbox_id: int) -> None:
    """Run the row's job once, within an app context, if there is still something to do."""
    with unit_of_work() as session:
        claim = outbox.claim(session, outbox_id)
    if claim is not None:
        run(claim)


def run(claim: Claim) -> None:
    """Run the job of a try that has just begun, within an app context; put it off while a lockdown stops it.

    Never raises for a job's failure: the row knows what has failed and when it is tried again.
    """
    with context.bound_request_id(claim.request_id):
        try:
            if not _put_off([claim]):
                _run(claim)
        except MoneyPaused:  # only just, while the job was at work
            db.session.rollback()
            _put_off([claim], anyhow=True)
        except Exception as error:  # noqa: BLE001 - whatever a job raises is written on its row
            db.session.rollback()
            _note_failure(claim, error)
        finally:
            db.session.remove()


def run_batch(claims: list[Claim]) -> None:
    """Do these rows of one job together, within an app context, and give back those that it leaves undone.

    Whatever goes wrong may be one row's fault, which is found out when each is run by itself.
    """
    kind, done = claims[0].kind, set[int]()
    try:
        if _put_off(claims):
            return
        functions()
        done = _batch_functions[kind](claims)
    except Exception as error:  # noqa: BLE001 - see above
        db.session.rollback()
        _log.warning("batch_failed", job=kind, exc_info=error)
    try:
        if left := [claim.outbox_id for claim in claims if claim.outbox_id not in done]:
            with unit_of_work() as session:
                outbox_batches.give_back(session, left)
    finally:
        db.session.remove()
    _log.info("batch_done", job=kind, count=len(claims), left=len(left))


def _put_off(claims: list[Claim], *, anyhow: bool = False) -> bool:
    """Give the rows back for later if a lockdown stops jobs of their kind; tell whether it does."""
    watch: Watch = current_app.extensions["lockdown"]
    found = watch.now()
    is_stopped = anyhow or (found is not None and found.stops(claims[0].kind))
    if is_stopped:
        with unit_of_work() as session:
            outbox.put_off(session, [claim.outbox_id for claim in claims])
    return is_stopped


def _run(claim: Claim) -> None:
    task = Task(claim)
    try:
        functions()[claim.kind](task, **claim.payload)
        if not task.is_finished:  # for jobs that had nothing to change
            with unit_of_work() as session:
                outbox.mark_done(session, claim.outbox_id)
                task.note_outcome(session)
    except DoneElsewhere:
        return
    _log.info("job_done", job=claim.kind, outbox=claim.outbox_id, attempt=claim.attempt)


def _note_failure(claim: Claim, error: Exception) -> None:
    with unit_of_work() as session:
        parked = outbox.mark_failed(
            session, claim.outbox_id, attempt=claim.attempt, error=f"{type(error).__name__}: {error}"
        )
    _log.error(
        "job_parked" if parked else "job_failed",
        job=claim.kind,
        outbox=claim.outbox_id,
        attempt=claim.attempt,
        exc_info=error,
    )
