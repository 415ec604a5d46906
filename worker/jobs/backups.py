"""Making backups, taking old ones away, and hearing that none was made."""

from __future__ import annotations

from contextlib import suppress

from flask import current_app

from advancia.core import outbox
from advancia.core.db import unit_of_work
from advancia.core.jobs import Job
from advancia.ops.backups import alerts, proof, prune, running
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.errors import BackupFailed, BackupRunning, NotSetUp
from advancia.ops.backups.models import Why
from worker.tasks import Task, job

MOST_TRIES = 3  # for the daily one; each failed try has its row and its alarm


@job(Job.BACK_UP)
def back_up(task: Task, backup_id: int | None = None, asked_by: int | None = None) -> None:
    """Make a backup: the one that waits with that id, which somebody has asked for, or the day's.

    A daily one that fails is tried twice more; for one that was asked for, the person who sees it fail decides. Run
    twice, it makes two.
    """
    why = Why.DAILY if backup_id is None else Why.ASKED
    with task.kept():
        try:
            made = create_backup(
                current_app.extensions["settings"],
                current_app.extensions["keyring"],
                why=why,
                asked_by=asked_by,
                backup_id=backup_id,
            )
        except BackupRunning:
            if why is Why.ASKED:
                raise  # its turn comes
            task.outcome = "Another one was being made."
        except (BackupFailed, NotSetUp) as trouble:
            if why is Why.DAILY and isinstance(trouble, BackupFailed) and task.claim.attempt < MOST_TRIES:
                raise
            task.outcome = f"No backup was made. {trouble}"
        else:
            task.outcome = f"{made.name}: {made.stored_bytes:,} bytes."
            _prove_the_first(made.name)


@job(Job.PRUNE_BACKUPS)
def prune_backups(task: Task) -> None:
    """Take away backups that are old enough. Repeatable."""
    with task.kept():
        task.outcome = prune.prune(current_app.extensions["settings"]).words


@job(Job.WATCH_BACKUPS)
def watch_backups(task: Task) -> None:
    """Sound the alarm when a day has passed without a backup, and end it when that is over. Repeatable.

    A backup whose process is gone is told from one that runs, too.
    """
    with suppress(BackupRunning), running.only_one(current_app.extensions["settings"].database_url) as lost:
        if lost:
            with unit_of_work() as session:
                alerts.tell_of_failure(session, running.BROKEN_OFF)
    with task.finish() as session:
        is_missing = alerts.watch_time(session)
        task.outcome = "A backup is missing." if is_missing else "The last backup is recent."


def _prove_the_first(name: str) -> None:
    """Where nothing was ever proven, let the first backup not wait for the week's turn."""
    with unit_of_work() as session:
        if proof.newest(session) is None:
            outbox.put_once(
                session, Job.PROVE_BACKUP, unique_key=f"{Job.PROVE_BACKUP.value}@first", name=name
            )
