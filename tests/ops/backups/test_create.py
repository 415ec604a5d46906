"""A backup is one moment of the database, whole, encrypted, and described truly."""

from __future__ import annotations

import hashlib
import stat
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
from pyrage import x25519
from sqlalchemy import select

from advancia.core import alarms
from advancia.core.db import db
from advancia.ops.backups import manifest, parts, queries, running
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.errors import BackupRunning, NotSetUp, WrongKey
from advancia.ops.backups.facts import facts_of
from advancia.ops.backups.models import Backup, State, Why
from advancia.ops.backups.stores import store_of
from advancia.ops.dev.postgres import binary
from tests.conftest import BACKUP_IDENTITY

OWNER = x25519.Identity.from_str(BACKUP_IDENTITY)


def test_a_backup_lies_in_two_parts_that_only_we_may_read(backup, settings):
    folder = Path(settings.backups.target)

    dump, told = folder / f"{backup.name}.dump.age", folder / f"{backup.name}.manifest.json"

    assert backup.state == State.DONE
    assert backup.stored_bytes == dump.stat().st_size == backup.written_bytes
    assert backup.sha256 == hashlib.sha256(dump.read_bytes()).hexdigest()
    assert manifest.read(told.read_bytes()).as_json() == backup.manifest
    assert {stat.S_IMODE(path.stat().st_mode) for path in (dump, told)} == {0o600}
    assert list(folder.glob("*.part")) == []


def test_the_dump_is_encrypted_and_its_owner_can_open_it(backup, settings):
    store = store_of(settings.backups)
    stored = (Path(settings.backups.target) / f"{backup.name}.dump.age").read_bytes()

    with parts.open_dump(store, manifest.read_dict(backup.manifest), identities=[OWNER]) as plain:
        dump = plain.read()

    assert stored.startswith(b"age-encryption.org/v1\n")
    assert b"PGDMP" not in stored
    assert dump.startswith(b"PGDMP")
    assert len(dump) == backup.manifest["plain_bytes"]
    listed = subprocess.run([binary("pg_restore"), "--list"], input=dump, capture_output=True, check=True)
    assert b"TABLE DATA ledger entry" in listed.stdout


def test_nobody_else_can_open_it(backup, settings):
    told = manifest.read_dict(backup.manifest)

    with (
        pytest.raises(WrongKey, match="None of the identities"),
        parts.open_dump(store_of(settings.backups), told, identities=[x25519.Identity.generate()]) as plain,
    ):
        plain.read()


def test_the_manifest_says_what_the_database_held(backup, settings):
    told = manifest.read_dict(backup.manifest)

    manifest.check_signature(told, settings.seal_keys)
    with psycopg.connect(settings.database_url) as connection:
        now = facts_of(connection)
        sequence = connection.execute("select max(version_num) from alembic_version").fetchone()

    assert told.facts.tables.keys() == now.tables.keys()
    assert told.facts.tables["ledger.entry"] <= now.tables["ledger.entry"]
    assert told.facts.schema_revision == sequence[0]
    assert told.facts.server_version.startswith("18.")
    assert told.plain_bytes > 0


def test_only_the_newest_can_be_opened_by_the_server(app, backup, settings, session):
    newer = create_backup(settings, app.extensions["keyring"], why=Why.ASKED)

    kept = session.execute(select(Backup.id).where(Backup.proof_identity.is_not(None))).scalars().all()

    assert kept == [newer.id]


def test_of_two_at_once_the_second_is_told_since_when_the_first_runs(app, settings, session):
    with running.only_one(settings.database_url):
        begun = running.begin(why=Why.DAILY, target="/nowhere", asked_by=None, backup_id=None)
        with pytest.raises(BackupRunning, match=rf"since {begun.begun_at:%H:%M:%S} UTC"):
            create_backup(settings, app.extensions["keyring"], why=Why.ASKED)

    after = create_backup(settings, app.extensions["keyring"], why=Why.ASKED)

    assert after.state == State.DONE
    lost = db.session.get(Backup, begun.id)
    assert (lost.state, lost.failure) == (State.FAILED, running.BROKEN_OFF)


def test_whoever_only_looks_who_is_gone_keeps_no_backup_from_being_made(app, settings, session):
    held, over = threading.Event(), threading.Event()

    def look() -> None:
        with app.app_context(), running.only_one(settings.database_url):
            held.set()
            over.wait(0.5)

    looker = threading.Thread(target=look)
    looker.start()
    held.wait()
    made = create_backup(settings, app.extensions["keyring"], why=Why.DAILY)
    looker.join()

    assert made.state == State.DONE


def test_without_anybody_who_could_open_it_none_is_made_and_that_is_loud(app, settings, session):
    from dataclasses import replace

    nobody = replace(settings, backups=replace(settings.backups, recipients=()))
    before = len(queries.backups(session))

    with pytest.raises(NotSetUp, match="flask backup keygen"):
        create_backup(nobody, app.extensions["keyring"], why=Why.DAILY)

    assert len(queries.backups(session)) == before
    assert "backup.failed" in {each.what for each in alarms.open_alarms(session)}
    session.rollback()
    create_backup(settings, app.extensions["keyring"], why=Why.DAILY)
    assert "backup.failed" not in {each.what for each in alarms.open_alarms(session)}
