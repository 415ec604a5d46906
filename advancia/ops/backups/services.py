"""Asking for a backup, which the worker then makes."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from advancia import audit
from advancia.config import Settings
from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.ops.backups import queries, running
from advancia.ops.backups.errors import BackupRunning, NotSetUp
from advancia.ops.backups.keys import recipients_of
from advancia.ops.backups.models import Backup, State, Why
from advancia.ops.backups.stores import HOW_TARGET


class AskedBefore(BackupRunning):
    """One waits or runs already; `backup_id` is that one."""

    def __init__(self, backup_id: int) -> None:
        super().__init__("A backup is being made already. This is it.")
        self.backup_id = backup_id


def check_set_up(settings: Settings) -> None:
    """Whether a backup could be made at all. Raises `NotSetUp`, saying what to set."""
    recipients_of(settings.backups.recipients)
    if settings.backups.target is None:
        raise NotSetUp(HOW_TARGET)


def forget_lost(settings: Settings) -> None:
    """Fail what a process that is gone has left running, so that it stands in nobody's way."""
    with suppress(BackupRunning), running.only_one(settings.database_url):
        pass


def ask_to_prune(session: Session, *, actor: Actor, reason: str) -> None:
    """Have the worker prune now, as the clock has it done each night. The caller's unit of work commits."""
    outbox.put(session, Job.PRUNE_BACKUPS)
    audit.record(session, actor, action="backup.prune_asked", kind="backup", id="all", reason=reason)


def ask(session: Session, *, actor: Actor, settings: Settings, reason: str) -> int:
    """Have the worker make a backup; return the id of its row, which waits.

    Of two clicks the second finds the first one's. Raises `AskedBefore`, `NotSetUp`. The caller's unit of work commits.
    """
    check_set_up(settings)
    if (other := queries.under_way(session)) is not None:
        raise AskedBefore(other.id)
    backup_id: int | None = session.scalar(
        insert(Backup)
        .values(
            name=running.new_name(utcnow()),
            why=Why.ASKED,
            state=State.WAITING,
            asked_by=actor.user_id,
            target=settings.backups.target,
        )
        .on_conflict_do_nothing()
        .returning(Backup.id)
    )
    if backup_id is None:
        waiting = select(Backup.id).where(Backup.state == State.WAITING)
        raise AskedBefore(session.scalars(waiting).one())
    outbox.put(session, Job.BACK_UP, backup_id=backup_id, asked_by=actor.user_id)
    audit.record(session, actor, action="backup.asked", kind="backup", id=backup_id, reason=reason)
    return backup_id
