"""The weekly proof that a backup can be restored."""

from __future__ import annotations

from flask import current_app

from advancia.core.jobs import Job
from advancia.ops.backups import proof
from advancia.ops.backups.errors import NoSuchBackup
from advancia.ops.backups.proof import ProofRunning
from worker.tasks import Task, job


@job(Job.PROVE_BACKUP)
def prove_backup(task: Task, name: str | None = None, proof_id: int | None = None) -> None:
    """Restore the newest backup, or that of the name, beside the product and prove it.

    A proof that fails has sounded its alarm, and the run is none that has to be tried again. One that was broken off
    is begun anew. Before the first backup there is nothing to prove yet; that none was made in time is
    `watch_backups`'s to tell.
    """
    settings, keyring = current_app.extensions["settings"], current_app.extensions["keyring"]
    try:
        with task.kept():
            found = proof.prove(settings, keyring, name=name, proof_id=proof_id)
    except (NoSuchBackup, ProofRunning) as trouble:
        task.outcome = str(trouble)
        return
    task.outcome = (
        f"{found.backup} is proven." if found.passed else f"{found.backup} is NOT proven: {found.reason}"
    )
