"""Backups: made, kept away from here, and proven to be good for something."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from advancia.ops.backups.models import Backup, BackupProof, ProofState, State
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, weak, wrong

BACKUP_IS_LATE = timedelta(hours=26)
PROOF_IS_LATE = timedelta(days=7)
LAST_PROOF = (
    select(
        Backup.name,
        BackupProof.state,
        BackupProof.finished_at,
        BackupProof.reason,
        BackupProof.restore_seconds,
    )
    .join(Backup, Backup.id == BackupProof.backup_id)
    .where(BackupProof.state != ProofState.RUNNING)
    .order_by(BackupProof.finished_at.desc())
    .limit(1)
)


@check("Backups go somewhere, to be opened by somebody", weight=Weight.BLOCKER)
def backup_settings(look: Look) -> Finding:
    backups = look.settings.backups
    missing = [
        name
        for name, there in (("BACKUP_TARGET", backups.target), ("BACKUP_RECIPIENTS", backups.recipients))
        if not there
    ]
    if missing:
        return wrong(
            f"Without {' and '.join(missing)} no backup is made.",
            "Set it: see Backups in docs/operations.md.",
        )
    keys = len(backups.recipients)
    opened = f"opened by {keys} key{'' if keys == 1 else 's'}"
    if not (backups.target or "").startswith("s3://"):
        return weak(
            f"They go to a folder of this machine, {opened}.",
            "Let them outlive the machine: set BACKUP_TARGET to a bucket, or mount the folder from elsewhere.",
        )
    return fine(f"They go to a bucket, {opened}.")


@check("There is a backup of the last 26 hours", weight=Weight.BLOCKER)
def backup_fresh(look: Look) -> Finding:
    last = look.session.execute(
        select(Backup.name, Backup.finished_at, Backup.stored_bytes)
        .where(Backup.state == State.DONE)
        .order_by(Backup.finished_at.desc())
        .limit(1)
    ).first()
    remedy = (
        "Run flask --app wsgi backup create: it says what keeps it. Else see whether clock and worker run."
    )
    if last is None or last.finished_at is None:
        return wrong("There is none.", remedy)
    words = f"{last.name}, {last.stored_bytes or 0:,} bytes, {_hours(look.now() - last.finished_at)} old."
    return wrong(words, remedy) if look.now() - last.finished_at > BACKUP_IS_LATE else fine(words)


@check("A backup was proven within seven days", weight=Weight.BLOCKER)
def backup_proven(look: Look) -> Finding:
    last = look.session.execute(LAST_PROOF).first()
    remedy = (
        "Run flask --app wsgi backup prove, and do what it says: see A failed proof in docs/operations.md."
    )
    if last is None or last.finished_at is None:
        return wrong("None was ever proven.", remedy)
    if last.state != ProofState.PASSED:
        return wrong(f"The last proof, of {last.name}, failed: {last.reason}", remedy)
    words = (
        f"{last.name} was restored in {last.restore_seconds or 0:,.1f} seconds and found right, "
        f"{_hours(look.now() - last.finished_at)} ago."
    )
    return wrong(words, remedy) if look.now() - last.finished_at > PROOF_IS_LATE else fine(words)


def _hours(since: timedelta) -> str:
    hours = max(int(since.total_seconds() // 3600), 0)
    return "less than an hour" if hours == 0 else f"{hours:,} hour{'' if hours == 1 else 's'}"
