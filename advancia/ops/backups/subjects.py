"""Which backup is meant: by its name, or the newest; known by its row, or by its manifest alone."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from advancia.config import Settings
from advancia.core.db import Session
from advancia.core.encryption import Keyring
from advancia.ops.backups import manifest as manifests
from advancia.ops.backups.errors import NoSuchBackup
from advancia.ops.backups.keys import Identity, proof_identity_of
from advancia.ops.backups.models import Backup, State
from advancia.ops.backups.stores import store_of
from advancia.ops.backups.trial import Subject

NOTHING_YET = "Nothing to prove yet: there is no backup. Make one with flask --app wsgi backup create."


def find(session: Session, settings: Settings, *, name: str | None = None) -> Subject:
    """The backup of that name, or the newest that is done.

    One that has no row here, as on a new machine, is taken from its manifest, which has to be ours, and gets a row; the
    caller's unit of work commits. Raises `NoSuchBackup`, `BadManifest`, `StoreTrouble`.
    """
    columns = select(Backup.id, Backup.name, Backup.target, Backup.sha256, Backup.state)
    if name is None:
        done = columns.where(Backup.state == State.DONE)
        row = session.execute(done.order_by(Backup.begun_at.desc()).limit(1)).first()
        if row is None:
            raise NoSuchBackup(NOTHING_YET)
    else:
        row = session.execute(columns.where(Backup.name == name)).first()
        if row is None:
            return _adopted(session, settings, name)
    if row.state != State.DONE:
        raise NoSuchBackup(f"The backup {row.name} is not there to be restored: it is {row.state}.")
    return Subject(row.id, row.name, row.target, row.sha256)


def kept_identity(session: Session, keyring: Keyring, subject: Subject) -> list[Identity]:
    """The key that the server keeps for its newest backup; none for any other."""
    kept = proof_identity_of(keyring, session.get_one(Backup, subject.id))
    return [] if kept is None else [kept]


def _adopted(session: Session, settings: Settings, name: str) -> Subject:
    store = store_of(settings.backups, reading=True)
    found = manifests.fetch(store, name)
    manifests.check_signature(found, settings.seal_keys)
    backup_id = session.scalars(
        insert(Backup)
        .values(
            name=found.name,
            why=found.why,
            state=State.DONE,
            begun_at=found.begun_at,
            finished_at=found.ended_at,
            target=store.address,
            stored_bytes=found.stored_bytes,
            sha256=found.sha256,
            manifest=found.as_json(),
        )
        .returning(Backup.id)
    ).one()
    return Subject(backup_id, found.name, store.address, found.sha256)
