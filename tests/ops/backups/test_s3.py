"""Backups in a bucket: written in parts by a credential that may do no more, and gone where they fail."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pyrage import x25519

from advancia.ops.backups import manifest, parts
from advancia.ops.backups.create import create_backup, take_away
from advancia.ops.backups.errors import BackupFailed, NoSuchBackup, NotAllowed, PartMissing, StoreTrouble
from advancia.ops.backups.models import State, Why
from advancia.ops.backups.stores import s3, store_of
from tests.conftest import BACKUP_IDENTITY
from tests.support.s3 import READER, WRITER
from tests.support.servers import free_port


@pytest.fixture
def in_bucket(settings, bucket):
    """The settings of a product whose backups go to the bucket."""
    return replace(
        settings,
        backups=replace(
            settings.backups,
            target="s3://backups/advancia/live",
            s3_endpoint=bucket.url,
            s3_region="eu-central-1",
            s3_key_id=WRITER,
            s3_secret="writes",
            s3_read_key_id=READER,
            s3_read_secret="reads",
        ),
    )


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(s3, "PART_BYTES", 64 * 1024)


def test_a_credential_that_only_writes_suffices_and_another_reads_it(
    app, in_bucket, bucket, session, small_parts
):
    made = create_backup(in_bucket, app.extensions["keyring"], why=Why.ASKED)

    assert made.state == State.DONE
    assert sorted(bucket.objects) == [
        f"advancia/live/{made.name}.dump.age",
        f"advancia/live/{made.name}.manifest.json",
    ]
    assert json.loads(bucket.objects[f"advancia/live/{made.name}.manifest.json"])["sha256"] == made.sha256
    assert len(bucket.part_sizes) > 2
    assert bucket.uploads == {}
    store = store_of(in_bucket.backups, target=made.target, reading=True)
    told = manifest.fetch(store, made.name)
    with parts.open_dump(store, told, identities=[x25519.Identity.from_str(BACKUP_IDENTITY)]) as plain:
        assert len(plain.read()) == told.plain_bytes


def test_all_parts_but_the_last_are_of_one_size(app, in_bucket, bucket, session, small_parts):
    create_backup(in_bucket, app.extensions["keyring"], why=Why.ASKED)

    *full, _last, _manifest = bucket.part_sizes
    assert set(full) == {64 * 1024}


def test_a_bucket_that_cannot_be_reached_is_said_and_the_next_one_works(app, in_bucket, bucket, session):
    away = replace(
        in_bucket, backups=replace(in_bucket.backups, s3_endpoint=f"http://127.0.0.1:{free_port()}")
    )

    with pytest.raises(BackupFailed, match="The bucket backups cannot be reached"):
        create_backup(away, app.extensions["keyring"], why=Why.DAILY)

    assert create_backup(in_bucket, app.extensions["keyring"], why=Why.ASKED).state == State.DONE


def test_a_bucket_that_is_full_in_the_middle_keeps_nothing_of_it(
    app, in_bucket, bucket, session, small_parts
):
    bucket.refuses_after_parts = 2

    with pytest.raises(BackupFailed, match="InsufficientStorage"):
        create_backup(in_bucket, app.extensions["keyring"], why=Why.ASKED)

    assert (bucket.objects, bucket.uploads) == ({}, {})


def test_a_credential_that_may_not_write_is_told_so(app, in_bucket, bucket, session):
    reader = replace(in_bucket, backups=replace(in_bucket.backups, s3_key_id=READER))

    with pytest.raises(BackupFailed, match=r"refuses our credential \(AccessDenied\)"):
        create_backup(reader, app.extensions["keyring"], why=Why.ASKED)


def test_what_it_may_not_delete_is_left_to_the_bucket(app, in_bucket, bucket, session):
    made = create_backup(in_bucket, app.extensions["keyring"], why=Why.ASKED)

    assert take_away(store_of(in_bucket.backups), made.name) is False
    assert len(bucket.objects) == 2


def test_what_is_not_there_is_said_to_be_not_there(in_bucket, bucket):
    store = store_of(in_bucket.backups, reading=True)

    with pytest.raises(PartMissing):
        store.open("nothing")
    with pytest.raises(NoSuchBackup):
        manifest.fetch(store, "nothing")
    with pytest.raises(NotAllowed):
        store_of(in_bucket.backups).open("nothing")
    assert issubclass(NotAllowed, StoreTrouble)
