"""Asking for a proof, which the worker then carries out."""

from __future__ import annotations

from sqlalchemy import func, insert, select

from advancia import audit
from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.locks import Lock
from advancia.ops.backups import proof
from advancia.ops.backups.errors import NoSuchBackup, WrongKey
from advancia.ops.backups.models import Backup, BackupProof, State
from advancia.ops.backups.proof import ProofRunning

ONLY_THE_OWNER = (
    "Only the owner's key opens this backup, since there is a newer one. Prove it on a machine that has the key: "
    "flask --app wsgi backup prove {name} --identity-file …"
)


class ProvenAlready(ProofRunning):
    """One was asked for before, or runs; `proof_id` is that one."""

    def __init__(self, proof_id: int) -> None:
        super().__init__("A backup is being proven already. This is it.")
        self.proof_id = proof_id


def ask(session: Session, *, actor: Actor, backup_id: int, reason: str) -> int:
    """Have the worker prove a backup; return the id of the proof, which waits.

    Raises `ProvenAlready` when one is under way, `NoSuchBackup` and `WrongKey` when the server cannot prove that one.
    The caller's unit of work commits.
    """
    session.execute(
        select(func.pg_advisory_xact_lock(Lock.ASKING_FOR_PROOF))
    )  # of two clicks, the second sees the first one's
    if (other := proof.under_way(session)) is not None:
        raise ProvenAlready(other.id)
    backup = session.get(Backup, backup_id)
    if backup is None or backup.state != State.DONE:
        raise NoSuchBackup("This backup is not there to be restored.")
    if backup.proof_identity is None:
        raise WrongKey(ONLY_THE_OWNER.format(name=backup.name))
    row = insert(BackupProof).values(backup_id=backup_id, asked_by=actor.user_id).returning(BackupProof.id)
    proof_id = session.scalars(row).one()
    outbox.put(session, Job.PROVE_BACKUP, name=backup.name, proof_id=proof_id)
    audit.record(session, actor, action="backup.proof_asked", kind="backup", id=backup_id, reason=reason)
    return proof_id
