"""Making a backup: one moment of the database, dumped, encrypted and stored, with a manifest of what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import func, update
from sqlalchemy.exc import DBAPIError

from advancia import VERSION
from advancia.config import Settings
from advancia.core import alarms, log
from advancia.core.clock import utcnow
from advancia.core.db import Session, db
from advancia.core.encryption import Keyring
from advancia.ops.backups import alerts, keys, manifest, queries, running
from advancia.ops.backups.dump import dumping, program, snapshot_of
from advancia.ops.backups.errors import BackupFailed, BackupRunning, BackupTrouble, NotAllowed, NotSetUp
from advancia.ops.backups.facts import Facts, facts_of
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.models import Backup, State, Why
from advancia.ops.backups.parts import Poured, pour
from advancia.ops.backups.running import Begun
from advancia.ops.backups.stores import Sink, Store, store_of

_log = log.logger(__name__)


def create_backup(
    settings: Settings,
    keyring: Keyring,
    *,
    why: Why,
    asked_by: int | None = None,
    backup_id: int | None = None,
) -> Backup:
    """Make a backup and return its row, `done`; `backup_id` is a row that waits for it. Needs an app context.

    It opens units of work of its own. Raises `BackupRunning` when another one is being made, `NotSetUp` where the
    settings do not suffice, and `BackupFailed`, with its words on the row, when it was begun and came to nothing. But
    for the first, an alarm is sounded.
    """
    with _loud(backup_id), running.only_one(settings.database_url, patience=running.TO_BEGIN_SECONDS):
        maker = _prepared(settings, keyring)
        begun = running.begin(why=why, target=maker.store.address, asked_by=asked_by, backup_id=backup_id)
        _log.info("backup_begun", backup=begun.name, why=why, target=maker.store.address)
        with _failing(begun):
            maker.store.sweep()
            maker.make(begun)
    return db.session.get_one(Backup, begun.id, populate_existing=True)


def _prepared(settings: Settings, keyring: Keyring) -> _Maker:
    """Look whether all is there, before anything is begun. Raises `NotSetUp`."""
    if not settings.seal_keys:
        raise NotSetUp("SEAL_KEYS is missing, without which nobody could tell whether a backup is ours.")
    owners = keys.recipients_of(settings.backups.recipients)
    return _Maker(settings, keyring, store_of(settings.backups), owners, keys.new_identity())


@dataclass(frozen=True)
class _Maker:
    """One backup in the making, and what it takes."""

    settings: Settings
    keyring: Keyring
    store: Store
    owners: list[keys.Recipient]
    identity: keys.Identity

    def make(self, begun: Begun) -> None:
        """Dump, store, describe, and write down that it is done; what is stored goes again if anything fails."""
        facts, poured = self._store_dump(begun)
        told = self._describe(begun, facts, poured)
        try:
            with _part(self.store, manifest.manifest_name(begun.name)) as sink:
                sink.write(manifest.write(told))
                sink.complete()
            running.insist(lambda session: self._note(session, begun.id, told))
        except BaseException:
            with suppress(BackupTrouble):  # without its row, nobody takes it for a backup
                take_away(self.store, begun.name)
            raise
        _log.info("backup_done", backup=begun.name, bytes=told.stored_bytes, rows=facts.rows)

    def _store_dump(self, begun: Begun) -> tuple[Facts, Poured]:
        progress = running.Progress(begun.id)
        with snapshot_of(self.settings.database_url) as (connection, snapshot):
            major = connection.info.server_version // 10_000
            program(self.settings.backups, "pg_dump", major=major)
            facts = facts_of(connection)
            progress.expect(database_bytes=facts.database_bytes)
            with _part(self.store, manifest.dump_name(begun.name), facts.database_bytes) as sink:
                poured = self._pour(sink, snapshot, major, progress)
                sink.complete()
        return facts, poured

    def _pour(self, sink: Sink, snapshot: str, major: int, progress: running.Progress) -> Poured:
        recipients = [*self.owners, self.identity.to_public()]
        url = self.settings.database_url
        with dumping(self.settings.backups, url, snapshot=snapshot, major=major) as source:
            return pour(source, sink, recipients=recipients, progress=progress)

    def _describe(self, begun: Begun, facts: Facts, poured: Poured) -> Manifest:
        told = Manifest(
            name=begun.name,
            why=begun.why,
            begun_at=begun.begun_at.isoformat(),
            ended_at=utcnow().isoformat(),
            app_version=VERSION,
            facts=facts,
            recipients=list(self.settings.backups.recipients),
            plain_bytes=poured.plain_bytes,
            stored_bytes=poured.stored_bytes,
            sha256=poured.sha256,
        )
        return manifest.sign(told, self.settings.seal_keys)

    def _note(self, session: Session, backup_id: int, told: Manifest) -> None:
        """The row is done, only this backup can be opened here, and what was wrong before has passed."""
        before = queries.last_done(session)
        done: dict[str, Any] = {
            "state": State.DONE,
            "finished_at": func.now(),
            "stored_bytes": told.stored_bytes,
            "written_bytes": told.stored_bytes,
            "sha256": told.sha256,
            "manifest": told.as_json(),
        }
        ours = update(Backup).where(Backup.id == backup_id, Backup.state == State.RUNNING)
        if session.execute(ours.values(done).returning(Backup.id)).first() is None:
            raise BackupFailed("Its row was ended by somebody else while it was made.")
        keys.keep_for_proof(session, self.keyring, backup_id=backup_id, identity=self.identity)
        alerts.watch_size(session, told, before=before)
        alarms.clear(session, what=alerts.FAILED)
        alarms.clear(session, what=alerts.MISSED)


@contextmanager
def _part(store: Store, name: str, expected_bytes: int = 0) -> Iterator[Sink]:
    """A part that is gone again unless the block completes it."""
    sink = store.sink(name, expected_bytes=expected_bytes)
    try:
        yield sink
    except BaseException:
        sink.abort()
        raise


def take_away(store: Store, name: str) -> bool:
    """Delete both parts of a backup, that which makes it one first; false where the credential may only write."""
    try:
        store.delete(manifest.manifest_name(name))
        store.delete(manifest.dump_name(name))
    except NotAllowed:
        return False
    return True


@contextmanager
def _failing(begun: Begun) -> Iterator[None]:
    """Whatever happens, write on the row why it is no backup, and raise that as `BackupFailed`."""
    try:
        yield
    except BaseException as trouble:
        db.session.rollback()
        words = words_of(trouble)
        running.fail(begun.id, words)
        _log.error("backup_failed", backup=begun.name, trouble=words)
        if isinstance(trouble, Exception):
            raise BackupFailed(words) from trouble
        raise


def words_of(trouble: BaseException) -> str:
    """What went wrong, for the person who reads the row."""
    if isinstance(trouble, BackupTrouble):
        return str(trouble)
    origin = getattr(trouble, "orig", trouble)
    if isinstance(origin, psycopg.Error):
        return f"The database broke off: {str(origin).strip() or type(origin).__name__}"
    if isinstance(trouble, Exception):
        return f"{type(trouble).__name__}: {trouble}"
    return "It was stopped before it was done."


@contextmanager
def _loud(waiting: int | None) -> Iterator[None]:
    """Sound the alarm when no backup came of it; and end a row that waits for one which cannot be begun."""
    try:
        yield
    except BackupRunning:
        raise
    except (BackupTrouble, psycopg.Error) as trouble:
        words = words_of(trouble)
        if waiting is not None:
            running.fail(waiting, words)
        with suppress(DBAPIError):
            running.insist(lambda session: alerts.tell_of_failure(session, words))
        raise
