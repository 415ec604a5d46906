"""The reconciliation, each night and when staff ask for it."""

from __future__ import annotations

from flask import current_app

from advancia.core import log
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.reconciliation import runner, runs
from advancia.reconciliation.errors import AlreadyRunning
from advancia.reconciliation.sides import sides_of
from worker.tasks import Task, job

TRIES = 5  # so often a run is taken up again after an error of ours or of the database; then it has failed

_log = log.logger(__name__)


@job(Job.RECONCILE)
def reconcile(task: Task, run_id: int | None = None) -> None:
    """Hold the books against themselves and the providers', and tell what differs.

    Without `run_id` it is the night's run. A run that was killed is gone on with where it was, by this job's next try
    or by the next night's; while another one is at work this one waits for it.
    """
    with task.kept():
        ours = run_id if run_id is not None else _of_the_night()
        try:
            verdict = runner.go_on(db.engine, ours, seal_keys=_seal_keys(), outsides=sides_of(current_app))
        except AlreadyRunning:
            raise
        except Exception as error:
            if task.claim.attempt < TRIES:
                raise
            _log.exception("reconciliation_failed", run=ours)
            verdict = _failed(ours, error)
        with task.finish():
            task.outcome = f"Run {ours}: {verdict}."


def _of_the_night() -> int:
    with unit_of_work() as session:
        return runs.take_up(session) or runs.begin(session, kind="nightly", window=runs.usual_window(session))


def _failed(run_id: int, error: Exception) -> str:
    db.session.rollback()
    with unit_of_work() as session:
        runs.fail(session, run_id, f"{type(error).__name__}: {error}")
    return "failed"


def _seal_keys() -> tuple[tuple[str, bytes], ...]:
    keys: tuple[tuple[str, bytes], ...] = current_app.extensions["settings"].seal_keys
    return keys
