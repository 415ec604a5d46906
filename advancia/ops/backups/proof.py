"""The proof of a backup: restored beside the product, and everything in it found again.

A proof that fails is loud: an alarm, its mail, the page, `/api/health`, the exit code and a line in the log file. The
steps themselves are in `proof_steps`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, cast

import psycopg
from sqlalchemy import insert, select, update

from advancia.config import Settings
from advancia.core import alarms, log
from advancia.core.clock import utcnow
from advancia.core.db import Session, unit_of_work
from advancia.core.encryption import Keyring
from advancia.core.errors import in_words
from advancia.core.locks import Lock
from advancia.ops.backups import subjects
from advancia.ops.backups.errors import BackupTrouble
from advancia.ops.backups.keys import Identity
from advancia.ops.backups.models import Backup, BackupProof, ProofState
from advancia.ops.backups.proof_steps import EXPECTED, STEPS, Step
from advancia.ops.backups.scratch import NoScratch
from advancia.ops.backups.trial import Subject, Trial

ALARM = "backup.proof"
BROKE_OFF = "It was broken off: its process ended before it did."

_log = log.logger(__name__)


class ProofRunning(BackupTrouble):
    """Another proof is under way."""


@dataclass(frozen=True)
class Finding:
    """What a step has found; `ok` is None for one that was not tried, since one before it had failed."""

    name: str
    ok: bool | None
    words: str
    seconds: float


@dataclass(frozen=True)
class Proof:
    """A proof as its row has it."""

    id: int
    backup_id: int
    backup: str
    state: Literal["running", "passed", "failed"]
    begun_at: datetime
    finished_at: datetime | None
    reason: str | None
    findings: tuple[Finding, ...]
    restore_seconds: float | None
    lag_seconds: float | None

    @property
    def passed(self) -> bool:
        return self.state == "passed"

    @property
    def steps(self) -> list[Finding]:
        """What was found, and the steps that are still to come."""
        to_come = [Finding(step.name, None, "", 0.0) for step in STEPS[len(self.findings) :]]
        return [*self.findings, *(to_come if self.state == "running" else [])]


Progress = Callable[[Finding], None]


def prove(
    settings: Settings,
    keyring: Keyring,
    *,
    name: str | None = None,
    identities: list[Identity] | None = None,
    proof_id: int | None = None,
    progress: Progress | None = None,
) -> Proof:
    """Prove the backup of that name, or the newest; write down what each step finds, and be loud if one fails.

    `proof_id` is the row of one that was asked for.

    Without `identities` it is opened with the key that the server keeps for its newest backup. Opens units of work of
    its own, and in between no transaction. Raises `ProofRunning`, `NoSuchBackup`.
    """
    with _alone(settings), ExitStack() as stack:
        with unit_of_work() as session:
            subject = subjects.find(session, settings, name=name)
            row_id = _begin(session, subject, proof_id)
        trial = Trial(
            settings=settings,
            keyring=keyring,
            subject=subject,
            identities=identities or [],
            begun_at=utcnow(),
            stack=stack,
        )
        return _carried_out(trial, row_id, progress or (lambda _finding: None))


def latest(session: Session) -> Proof | None:
    """The last proof that has come to an end."""
    return _first(session, BackupProof.finished_at.is_not(None))


def latest_passed(session: Session, *, backup: str | None = None) -> Proof | None:
    """The last proof that passed; with `backup`, of that one."""
    which = [Backup.name == backup] if backup is not None else []
    return _first(session, BackupProof.state == ProofState.PASSED, *which)


def newest(session: Session) -> Proof | None:
    """The last proof, which may be under way."""
    return _first(session)


def under_way(session: Session) -> Proof | None:
    """The proof that waits for the worker, or runs."""
    return _first(session, BackupProof.state == ProofState.RUNNING)


def proof_of(session: Session, proof_id: int) -> Proof | None:
    return _first(session, BackupProof.id == proof_id)


def _carried_out(trial: Trial, proof_id: int, progress: Progress) -> Proof:
    findings: list[Finding] = []
    about_us = False
    for step in STEPS:
        if findings and findings[-1].ok is not True:
            findings.append(Finding(step.name, None, "Not tried.", 0.0))
            continue
        finding, trouble = _taken(step, trial)
        about_us = about_us or isinstance(trouble, NoScratch)
        findings.append(finding)
        _note_progress(proof_id, findings)
        progress(finding)
    with unit_of_work() as session:
        _end(session, trial, proof_id, findings, about_us=about_us)
        proof = cast("Proof", proof_of(session, proof_id))
    _write_line(trial.settings.backups.log, proof, trial)
    return proof


def _taken(step: Step, trial: Trial) -> tuple[Finding, Exception | None]:
    begun = time.monotonic()
    try:
        words = step.take(trial)
    except EXPECTED as trouble:
        return Finding(step.name, False, str(trouble), time.monotonic() - begun), trouble
    except Exception as trouble:  # noqa: BLE001 - whatever it is, the backup is not proven
        _log.error("backup_proof_broke", step=step.name, exc_info=trouble)
        words = f"It could not be told: {type(trouble).__name__}: {trouble}"
        return Finding(step.name, False, words, time.monotonic() - begun), trouble
    return Finding(step.name, True, words, time.monotonic() - begun), None


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let no other proof run meanwhile, on whichever machine. Raises `ProofRunning`."""
    with psycopg.connect(settings.database_url, autocommit=True) as guard:
        row = guard.execute("select pg_try_advisory_lock(%s)", (Lock.BACKUP_PROOF,)).fetchone()
        if not row or not row[0]:
            raise ProofRunning("A backup is being proven already. Wait for its end, then try again.")
        yield


def _begin(session: Session, subject: Subject, proof_id: int | None) -> int:
    """Write the row, or take up the one that waits; what else is called running has broken off, since we are alone."""
    session.execute(
        update(BackupProof)
        .where(BackupProof.state == ProofState.RUNNING, BackupProof.id != (proof_id or 0))
        .values(state=ProofState.FAILED, reason=BROKE_OFF, finished_at=utcnow())
    )
    if proof_id is None:
        row = insert(BackupProof).values(backup_id=subject.id).returning(BackupProof.id)
        return session.scalars(row).one()
    again = {"state": ProofState.RUNNING, "reason": None, "finished_at": None, "begun_at": utcnow()}
    session.execute(update(BackupProof).where(BackupProof.id == proof_id).values(again))
    return proof_id


def _note_progress(proof_id: int, findings: list[Finding]) -> None:
    with unit_of_work() as session:
        session.execute(
            update(BackupProof)
            .where(BackupProof.id == proof_id)
            .values(findings=[asdict(each) for each in findings])
        )


def _end(session: Session, trial: Trial, proof_id: int, findings: list[Finding], *, about_us: bool) -> None:
    failed = next((each for each in findings if each.ok is False), None)
    session.execute(
        update(BackupProof)
        .where(BackupProof.id == proof_id)
        .values(
            state=ProofState.PASSED if failed is None else ProofState.FAILED,
            reason=None if failed is None else failed.words,
            findings=[asdict(each) for each in findings],
            finished_at=utcnow(),
            restore_seconds=trial.restore_seconds,
            lag_seconds=trial.lag_seconds,
        )
    )
    name = trial.subject.name
    if failed is None:
        alarms.clear(session, what=ALARM, about=name)
        alarms.clear(session, what=ALARM)
    else:  # trouble of ours is over once any proof passes; a bad backup stays one
        words = f"The proof of the backup {name} failed at “{failed.name}”: {failed.words}"
        alarms.sound(session, what=ALARM, about="" if about_us else name, words=words)


def _write_line(path: Path, proof: Proof, trial: Trial) -> None:
    """Add the line of this proof to the log; trouble with the file does not undo the proof."""
    at = f"{proof.finished_at:%Y-%m-%dT%H:%M:%SZ}"
    seconds = sum(each.seconds for each in proof.findings)
    if proof.passed:
        age = in_words(proof.begun_at - trial.manifest.begun)
        told = (
            f"PASSED  {proof.backup}  restored in {proof.restore_seconds:.1f} s, proven in {seconds:.1f} s; "
            f"{trial.facts.rows:,} rows, {trial.entries:,} entries; {age} old"
        )
    else:
        told = f"FAILED  {proof.backup}  {proof.reason}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as lines:
            lines.write(f"{at}  {' '.join(told.split())}\n")
    except OSError as trouble:
        _log.error("backup_log_not_written", path=str(path), trouble=str(trouble))


def _first(session: Session, *conditions: object) -> Proof | None:
    row = session.execute(
        select(
            BackupProof.id, BackupProof.backup_id, Backup.name, BackupProof.state, BackupProof.begun_at,
            BackupProof.finished_at, BackupProof.reason, BackupProof.findings,
            BackupProof.restore_seconds, BackupProof.lag_seconds,
        )
        .join(Backup, Backup.id == BackupProof.backup_id)
        .where(*conditions)  # type: ignore[arg-type]
        .order_by(BackupProof.id.desc())
        .limit(1)
    ).first()  # fmt: skip
    if row is None:
        return None
    return Proof(
        id=row.id,
        backup_id=row.backup_id,
        backup=row.name,
        state=cast("Literal['running', 'passed', 'failed']", row.state),
        begun_at=row.begun_at,
        finished_at=row.finished_at,
        reason=row.reason,
        findings=tuple(Finding(**each) for each in row.findings),
        restore_seconds=row.restore_seconds,
        lag_seconds=row.lag_seconds,
    )
