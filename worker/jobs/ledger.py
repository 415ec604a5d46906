"""The nightly proof of the books."""

from __future__ import annotations

from advancia.core import log
from advancia.core.db import db
from advancia.core.jobs import Job
from advancia.ledger import check
from worker.tasks import Task, job

_log = log.logger(__name__)


@job(Job.CHECK_LEDGER)
def check_ledger(_task: Task) -> None:
    """Recompute the books from their entries; a difference is logged as an error, with the rows at fault."""
    report = check.run(db.session())
    db.session.rollback()
    say = _log.info if report.is_right else _log.error
    say(
        "ledger_check",
        verdict=report.verdict,
        entries=report.entries,
        differences=[str(d) for d in report.differences],
    )
