"""Taking away backups that are old enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, update

from advancia import audit
from advancia.config import Settings
from advancia.core import log
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.ops.backups import queries
from advancia.ops.backups.create import take_away
from advancia.ops.backups.models import Backup, State
from advancia.ops.backups.stores import store_of

KEPT_FOR = timedelta(days=30)
KEPT_AT_LEAST = 14

_log = log.logger(__name__)


@dataclass(frozen=True)
class Pruned:
    """The names of what was taken away, and of those whose parts a write-only credential had to leave in the bucket."""

    names: list[str]
    left: list[str]
    kept: int

    @property
    def words(self) -> str:
        told = f"{len(self.names)} pruned, {self.kept} kept."
        return f"{told} Left to the bucket's own rule: {', '.join(self.left)}." if self.left else told


def prune(settings: Settings, *, dry_run: bool = False) -> Pruned:
    """Take away backups older than 30 days, but never one of the newest 14, nor the one that was proven last.

    The rows stay, as `pruned`. Repeatable, also beside another one and beside a backup. Raises `StoreTrouble`.
    """
    session = db.session()
    done = queries.done(session)
    kept = queries.being_proven(session) | {queries.last_proven_id(session)}
    old = [(each.id, each.name, each.target) for each in _too_old(done, kept=kept, now=utcnow())]
    names, total = [name for _, name, _ in old], len(done)
    session.rollback()  # what follows asks a store, which may be far away
    left = [] if dry_run else [each[1] for each in old if not _prune(settings, *each)]
    return Pruned(names, left, total - len(old))


def _too_old(done: Sequence[Backup], *, kept: Collection[int | None], now: datetime) -> list[Backup]:
    """Of all that are there, the newest first, those that nothing asks to be kept."""
    return [each for each in done[KEPT_AT_LEAST:] if each.begun_at < now - KEPT_FOR and each.id not in kept]


def _prune(settings: Settings, backup_id: int, name: str, target: str) -> bool:
    """Take the parts away, then say so on the row; false when the parts had to be left."""
    taken = take_away(store_of(settings.backups, target=target), name)
    with unit_of_work() as session:
        session.execute(
            update(Backup)
            .where(Backup.id == backup_id, Backup.state == State.DONE)
            .values(state=State.PRUNED, pruned_at=func.now(), proof_identity=None)
        )
        after = {"name": name, "parts_left": not taken}
        audit.record_of_system(session, action="backup.pruned", kind="backup", id=backup_id, after=after)
    _log.info("backup_pruned", backup=name, parts_left=not taken)
    return taken
