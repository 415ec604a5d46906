"""The dump's way out of a store: what was changed on the way is said for what it is, and memory stays flat."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from pyrage import x25519

from advancia.config import ROOT
from advancia.ops.backups import manifest, parts
from advancia.ops.backups.errors import (
    BadManifest,
    BadSignature,
    DumpDamaged,
    DumpTruncated,
    PartMissing,
    WrongKey,
)
from advancia.ops.backups.facts import Facts
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.stores.folder import FolderStore
from tests.support.s3 import WRITER

NAME = "2026-11-24T013000Z-1a2b3c"
PLAIN = b"rows and rows of them\n" * 20_000
KEYS = (("2026a", b"k" * 32),)
FACTS = Facts("18.6", 10**6, "0016_backups", {"public.users": 2}, 7, 1, "ab" * 32, 3, "cd" * 32)


@pytest.fixture
def identity():
    return x25519.Identity.generate()


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "backups")


@pytest.fixture
def told(store, identity):
    """A dump that lies in the store, by its manifest."""
    sink = store.sink(manifest.dump_name(NAME))
    poured = parts.pour(io.BytesIO(PLAIN), sink, recipients=[identity.to_public()], progress=lambda _: None)
    sink.complete()
    return Manifest(
        name=NAME,
        why="daily",
        begun_at="2026-11-24T01:30:00+00:00",
        ended_at="2026-11-24T01:31:00+00:00",
        app_version="0.1.0",
        facts=FACTS,
        recipients=[str(identity.to_public())],
        plain_bytes=poured.plain_bytes,
        stored_bytes=poured.stored_bytes,
        sha256=poured.sha256,
    )


def plain_of(store, told, *identities):
    with parts.open_dump(store, told, identities=identities) as plain:
        return plain.read()


def tamper(store, change):
    path = store.folder / manifest.dump_name(NAME)
    path.write_bytes(change(path.read_bytes()))


def test_what_goes_in_comes_out(store, told, identity):
    assert plain_of(store, told, identity) == PLAIN
    assert told.plain_bytes == len(PLAIN)
    parts.check_sum(store, told)


def test_another_program_can_read_it(store, told, identity):
    with parts.open_dump(store, told, identities=[identity]) as plain:
        counted = subprocess.run(["wc", "-c"], stdin=plain, capture_output=True, text=True, check=True)

    assert int(counted.stdout) == len(PLAIN)


@pytest.mark.parametrize("at", [30, 150, 5000, -1])
def test_a_flipped_byte_anywhere_is_found_with_and_without_the_key(store, told, identity, at):
    tamper(store, lambda stored: stored[:at] + bytes([stored[at] ^ 1]) + stored[at:][1:])

    for look in (lambda: parts.check_sum(store, told), lambda: plain_of(store, told, identity)):
        with pytest.raises(DumpDamaged, match="checksum") as found:
            look()
        assert not isinstance(found.value, DumpTruncated)


@pytest.mark.parametrize("left", [0, 100, 70_000, -1])
def test_a_missing_end_is_told_from_a_changed_byte(store, told, identity, left):
    tamper(store, lambda stored: stored[:left])

    for look in (lambda: parts.check_sum(store, told), lambda: plain_of(store, told, identity)):
        with pytest.raises(DumpTruncated, match=f"of {told.stored_bytes:,} bytes"):
            look()


def test_what_was_added_is_found(store, told, identity):
    tamper(store, lambda stored: stored + b"more")

    with pytest.raises(DumpDamaged):
        plain_of(store, told, identity)


def test_a_changed_dump_with_a_checksum_to_match_still_does_not_decrypt(store, told, identity):
    tamper(store, lambda stored: stored[:5000] + bytes([stored[5000] ^ 1]) + stored[5001:])
    stored = (store.folder / told.dump).read_bytes()

    with pytest.raises(DumpDamaged, match="cannot be decrypted"):
        plain_of(store, replace(told, sha256=hashlib.sha256(stored).hexdigest()), identity)


def test_another_key_opens_nothing(store, told):
    with pytest.raises(WrongKey):
        plain_of(store, told, x25519.Identity.generate())


def test_a_missing_part_is_told_so(store, told, identity):
    (store.folder / told.dump).unlink()

    with pytest.raises(PartMissing):
        plain_of(store, told, identity)


def test_whoever_stops_reading_gets_their_own_trouble(store, told, identity):
    with (
        pytest.raises(ZeroDivisionError),
        parts.open_dump(store, told, identities=[identity]) as plain,
    ):
        plain.read(10)
        raise ZeroDivisionError


def test_a_signed_manifest_survives_its_file(told):
    signed = manifest.sign(told, KEYS)

    again = manifest.read(manifest.write(signed))

    assert again == signed
    manifest.check_signature(again, KEYS)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sha256", "00" * 32), ("stored_bytes", 1), ("facts", {"last_txn": 8}), ("key_id", "2026b")],
)
def test_whatever_is_changed_in_a_manifest_breaks_its_signature(told, name, value):
    written = json.loads(manifest.write(manifest.sign(told, KEYS)))
    written[name] = {**written[name], **value} if isinstance(value, dict) else value

    with pytest.raises(BadSignature):
        manifest.check_signature(manifest.read_dict(written), [*KEYS, ("2026b", b"other" * 8)])


def test_a_key_that_we_do_not_hold_is_named(told):
    with pytest.raises(BadSignature, match="2026a"):
        manifest.check_signature(manifest.sign(told, KEYS), [("2027a", b"n" * 32)])


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"format": 2}', b'{"format": 1}', b'{"format": 1, "facts": 3}']
)
def test_what_is_no_manifest_is_refused(text):
    with pytest.raises(BadManifest):
        manifest.read(text)


FLAT = """
import json, os, resource, sys
from pyrage import x25519
from advancia.config import load_settings
from advancia.ops.backups import parts
from advancia.ops.backups.stores import store_of

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

class Rows:
    left, piece = 400_000_000, os.urandom(1_000_000)
    def read(self, size=-1):
        size = min(size, self.left, 1_000_000)
        self.left -= size
        return self.piece[:size]

store, identity = store_of(load_settings(json.loads(sys.argv[1])).backups), x25519.Identity.generate()
sink = store.sink("warm"); sink.write(b"x"); sink.complete()
before = used()
sink = store.sink("big")
poured = parts.pour(Rows(), sink, recipients=[identity.to_public()], progress=lambda _: None)
sink.complete()
print(used() - before, poured.plain_bytes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("to_bucket", [False, True])
def test_memory_stays_flat_whatever_the_size(environ, tmp_path, bucket, to_bucket):
    bucket.keeps_bytes = False
    told = environ | {
        "BACKUP_TARGET": "s3://backups/live" if to_bucket else str(tmp_path / "backups"),
        "BACKUP_S3_ENDPOINT": bucket.url,
        "BACKUP_S3_REGION": "eu-central-1",
        "BACKUP_S3_KEY_ID": WRITER,
        "BACKUP_S3_SECRET": "writes",
    }

    command = [sys.executable, "-c", FLAT, json.dumps(told)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    megabytes, plain_bytes = (int(each) for each in ran.stdout.split())
    assert plain_bytes == 400_000_000
    assert megabytes < 80, f"{megabytes} MB"  # five parts of a bucket's size
