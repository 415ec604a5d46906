"""A backup that can be restored is proven; each that cannot is refused for the right reason, and that is loud."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest
from flask_migrate import upgrade
from sqlalchemy import select, update

from advancia.core import alarms, outbox
from advancia.core.db import db, unit_of_work
from advancia.core.encryption import Keyring
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.ledger import seals
from advancia.ops import demo, demo_staff
from advancia.ops.backups import manifest as manifests
from advancia.ops.backups import proof, proof_steps
from advancia.ops.backups import scratch as places
from advancia.ops.backups.errors import NoSuchBackup
from advancia.ops.backups.models import Backup, BackupProof
from advancia.ops.backups.proof import BROKE_OFF, ProofRunning
from tests.support.backups import OWNER, Saved, save, saved
from tests.support.work import work_off


@pytest.fixture(scope="module")
def product(scratch_of):
    """The demo in a database of its own, sealed, with a backup."""
    with saved(scratch_of(), backup=False) as product:
        with product.app.app_context():
            demo.seed()
            demo_staff.seed(password=demo.PASSWORD, keyring=product.keyring)
            list(seals.seal(db.session(), product.settings.seal_keys))
        product.name = save(product)
        yield product


@pytest.fixture(scope="module")
def proven(product):
    """The proof of that backup, which these tests share."""
    return product.prove()


@pytest.fixture
def damaged(product):
    """The same backup, to be damaged: it is whole again afterwards."""
    kept = {path: path.read_bytes() for path in (product.dump, product.manifest_file)}
    yield product
    for path, content in kept.items():
        path.write_bytes(content)


def failed(product, step, **more):
    """The reason for which the proof fails at that step; what comes after it is not tried."""
    found = product.prove(**{"on_server": product.scratch, **more})
    at = next(each for each in found.findings if each.ok is False)
    after = found.findings[found.findings.index(at) + 1 :]
    assert (found.state, at.name) == ("failed", step), found
    assert {each.words for each in after} <= {"Not tried."}
    assert found.reason == at.words
    return found.reason


def test_the_demo_is_proven_and_every_step_says_what_it_has_found(product, proven):
    assert proven.passed, proven.reason
    assert [each.name for each in proven.findings] == [step.name for step in proof_steps.STEPS]
    assert all(each.ok for each in proven.findings)
    told = {each.name: each.words for each in proven.findings}
    assert "30 entries agree, under 1 seal." in told["The books prove"]
    assert "authenticator_app.secret" in told["Encrypted fields open"]
    assert told["A person signs in"] == "Amara Okafor signed in over HTTP and saw their wallet."
    assert 0 < proven.restore_seconds < sum(each.seconds for each in proven.findings) < 20
    assert proven.lag_seconds > 0


def test_the_proof_is_a_row_and_a_line_in_the_log(product, proven):
    with product.app.app_context():
        assert proof.latest_passed(db.session(), backup=product.name) == proven
        assert proof.latest_passed(db.session(), backup="another") is None
    lines = product.settings.backups.log.read_text().splitlines()
    assert product.settings.backups.log.name == "BACKUP_RESTORE_TEST_LOG.txt"
    assert re.match(
        rf"\d{{4}}-.*Z  PASSED {product.name} restored in .* s, proven in .* s; .* entries", lines[0]
    )


def test_nothing_is_left_of_the_copy(product, proven):
    assert list(product.settings.var.glob("proof-*")) == []


def test_a_backup_with_a_part_missing_is_not_proven(damaged):
    damaged.dump.unlink()

    assert "is not there" in failed(damaged, "Both parts are there")


def test_a_backup_without_its_manifest_is_not_proven(damaged):
    damaged.manifest_file.unlink()

    assert "its manifest is missing" in failed(damaged, "Both parts are there")


def test_a_dump_that_was_cut_short_is_not_proven(damaged):
    whole = damaged.dump.read_bytes()
    damaged.dump.write_bytes(whole[:-1000])

    assert "was cut short" in failed(damaged, "The checksum agrees")


def flip(path: Path, *, at: int) -> bytes:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    return bytes(content)


def test_a_flipped_byte_is_found(damaged):
    flip(damaged.dump, at=50_000)

    assert "its checksum is not the one in the manifest" in failed(damaged, "The checksum agrees")


def test_a_flipped_byte_with_a_manifest_that_was_made_to_fit_is_found_by_its_signature(damaged):
    import hashlib

    content = flip(damaged.dump, at=50_000)
    told = json.loads(damaged.manifest_file.read_bytes())
    damaged.manifest_file.write_text(json.dumps({**told, "sha256": hashlib.sha256(content).hexdigest()}))

    assert "was changed after it was signed" in failed(damaged, "The manifest is ours")


def signed_anew(product: Saved, **changes):
    """A manifest of ours that says something else of itself."""
    told = product.manifest
    facts = replace(
        told.facts, **{name: changes.pop(name) for name in list(changes) if hasattr(told.facts, name)}
    )
    made = manifests.sign(replace(told, facts=facts, **changes), product.settings.seal_keys)
    product.manifest_file.write_bytes(manifests.write(made))


def test_the_manifest_of_another_backup_under_this_name_is_found(damaged):
    signed_anew(damaged, name="2026-01-01T000000Z-000000")

    assert "of another backup" in failed(damaged, "The manifest is ours")


def test_a_backup_of_a_newer_postgresql_is_refused(damaged):
    signed_anew(damaged, server_version="99.1")

    assert "made by PostgreSQL 99" in failed(damaged, "The versions are known")


def test_a_backup_of_a_schema_that_we_do_not_know_is_refused(damaged):
    signed_anew(damaged, schema_revision="0999_tomorrow")

    assert "0999_tomorrow, which this version of ours does not know" in failed(
        damaged, "The versions are known"
    )


def test_the_wrong_key_is_told_as_such(product):
    stranger = pyrage.x25519.Identity.generate()

    assert "None of the identities opens this backup" in failed(
        product, "A key opens it", identities=[stranger]
    )


def test_counts_that_differ_from_the_manifest_are_named(damaged):
    tables = {**damaged.manifest.facts.tables, "public.users": 7}
    signed_anew(damaged, tables=tables)

    assert "public.users has 6 rows instead of 7" in failed(damaged, "The rows agree")


def test_balances_that_differ_from_the_manifest_are_found(damaged):
    signed_anew(damaged, balance_digest="0" * 64)

    assert "not those that the manifest stands for" in failed(damaged, "The balances agree")


def test_a_failure_is_loud_and_a_proof_of_that_backup_that_passes_ends_it(damaged, tmp_path):
    whole = damaged.dump.read_bytes()
    damaged.dump.write_bytes(whole[:1000])
    told = damaged.app.test_cli_runner().invoke(args=["backup", "prove", damaged.name])

    assert told.exit_code == 1
    assert "WRONG  The checksum agrees" in told.output
    assert f"The backup {damaged.name} is NOT proven." in told.output
    assert f"FAILED {damaged.name} The dump was cut short" in damaged.settings.backups.log.read_text()
    with damaged.app.app_context():
        (alarm,) = [each for each in alarms.open_alarms(db.session()) if each.what == "backup.proof"]
        assert alarm.is_critical
        assert "failed at “The checksum agrees”" in alarm.words
        assert db.session.scalars(select(OutboxRow).where(OutboxRow.kind == Job.TELL_OF_ALARM)).first()

    damaged.dump.write_bytes(whole)
    newer = save(damaged)
    assert "--identity-file" in failed(damaged, "A key opens it")
    key = tmp_path / "owner.txt"
    key.write_text(f"{OWNER}\n")
    arguments = ["backup", "prove", damaged.name, "--identity-file", str(key), "--json"]
    told = damaged.app.test_cli_runner().invoke(args=arguments)
    damaged.name = newer
    assert (told.exit_code, json.loads(told.output)["state"]) == (0, "passed")
    with damaged.app.app_context():
        assert [each for each in alarms.open_alarms(db.session()) if each.what == "backup.proof"] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("update ledger.account set balance = 1 where holder > 0", "The books of the backup disagree: account"),
        ("update ledger.txn set meta = '{\"note\": \"another\"}' where id = 11", "The books of the backup disagree"),
        ("update ledger.seal set sealed_at = now() where id = 1", "A seal is broken: seal 1 was changed"),
    ],
)  # fmt: skip
def test_a_row_that_was_changed_before_the_backup_is_found_and_named(product, scratch_of, change, words):
    scratch = scratch_of()
    with product.app.app_context():
        db.session.remove()
        db.engine.dispose()
    copy_of(product, scratch)
    scratch.tamper(change)
    with saved(scratch) as tampered:
        assert words in failed(tampered, "The books prove")


def copy_of(product, scratch):
    """Make the database that of the product."""
    name = product.settings.database_url.partition("?")[0].rpartition("/")[2]
    scratch.engine.dispose()
    scratch.servers.postgres.drop_database(scratch.name)
    scratch.servers.postgres.create_database(scratch.name, owner="advancia_owner", template=name)


def test_a_place_that_is_gone_from_the_settings_is_a_proof_that_failed(product):
    with product.app.app_context(), unit_of_work() as session:
        here = update(Backup).where(Backup.name == product.name)
        session.execute(here.values(target="s3://nobody-has-this/bucket"))
    try:
        bucket = {"s3_endpoint": "http://127.0.0.1:9", "s3_key_id": "nobody", "s3_secret": "nothing"}
        other = replace(product.settings, backups=replace(product.settings.backups, **bucket))
        moved = Saved(product.app, other, product.name, product.scratch)
        assert "cannot be reached" in failed(moved, "Both parts are there")
    finally:
        with product.app.app_context(), unit_of_work() as session:
            session.execute(here.values(target=product.settings.backups.target))


def test_a_key_that_the_server_cannot_read_any_more_is_told(product):
    other = Saved(product.app, product.settings, product.name, product.scratch)

    words = failed(other, "A key opens it", keyring=Keyring((("another", bytes(range(32))),)))
    assert "under the key test, which FIELD_KEYS does not hold" in words


def test_a_field_that_no_key_of_ours_opens_is_told(product):
    stranger = replace(product.settings, field_keys=(("test", bytes(range(32))),))
    other = Saved(product.app, stranger, product.name, product.scratch)
    found = other.prove(on_server=product.scratch, keyring=Keyring(stranger.field_keys), identities=[OWNER])
    at = next(each for each in found.findings if each.ok is False)

    assert at.name == "Encrypted fields open"
    assert "authenticator_app.secret" in at.words


def test_too_little_room_is_said_before_anything_is_begun(product, monkeypatch):
    full = shutil.disk_usage("/")._replace(free=10 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)

    assert re.search(
        r"needs \d+ MB on the disk of .*, and 10 MB are free",
        failed(product, "There is a place to restore to", on_server=None),
    )
    with product.app.app_context():
        assert [each.about for each in alarms.open_alarms(db.session()) if each.about == ""] == [""]


def test_what_a_killed_proof_has_left_behind_is_swept_and_one_that_lives_is_not(product):
    var = product.settings.var
    dead, living = var / "proof-dead", var / "proof-living"
    for folder in (dead, living):
        (folder / "postgres" / "data").mkdir(parents=True)
    with places._held(living / "lock"):
        assert places.sweep(var) == ["proof-dead"]
        assert living.exists()
    assert places.sweep(var) == ["proof-living"]


def test_one_proof_at_a_time_and_one_that_broke_off_is_called_so(product):
    with product.app.app_context():
        with unit_of_work() as session:
            row = BackupProof(backup_id=session.scalars(select(Backup.id)).first())
            session.add(row)
        row_id = row.id
        with proof._alone(product.settings), pytest.raises(ProofRunning):
            proof.prove(product.settings, product.keyring)
        damaged = product.dump.read_bytes()
        product.dump.write_bytes(damaged[:10])
        proof.prove(product.settings, product.keyring, name=product.name)
        product.dump.write_bytes(damaged)
        assert proof.proof_of(db.session(), row_id).reason == BROKE_OFF


def test_there_is_nothing_to_prove_without_a_backup(scratch):
    with saved(scratch, backup=False) as empty:
        told = empty.app.test_cli_runner().invoke(args=["backup", "prove"])

    assert told.exit_code == 2
    assert "there is no backup" in told.output


@pytest.mark.slow
def test_a_backup_of_an_older_schema_is_brought_up_to_date_in_the_copy(scratch):
    servers = scratch.servers
    servers.postgres.drop_database(scratch.name)
    servers.postgres.create_database(scratch.name, owner="advancia_owner")
    with saved(scratch, backup=False) as older:
        with older.app.app_context():
            upgrade(revision="0019_launch")
        older.name = save(older)
        found = older.prove()

    assert found.passed, found.reason
    told = {each.name: each.words for each in found.findings}
    assert told["The schema comes up to date"].startswith("Brought from 0019_launch to ")
    assert told["A person signs in"].startswith("Proof of a Backup signed in")


@pytest.mark.slow
def test_a_backup_of_which_only_the_parts_are_left_is_taken_from_its_manifest(product, scratch):
    with saved(scratch, backup=False, BACKUP_TARGET=product.settings.backups.target) as machine:
        machine.name = product.name
        with machine.app.app_context(), pytest.raises(NoSuchBackup):
            proof.prove(machine.settings, machine.keyring, name="2026-01-01T000000Z-000000")
        found = machine.prove(identities=[OWNER])

    assert found.passed, found.reason


def test_the_clock_proves_the_newest_and_says_what_came_of_it(damaged):
    damaged.dump.unlink()
    with damaged.app.app_context(), unit_of_work() as session:
        outbox.put(session, Job.PROVE_BACKUP)
    work_off(damaged.app)
    with damaged.app.app_context():
        row = db.session.scalars(
            select(OutboxRow).where(OutboxRow.kind == Job.PROVE_BACKUP).order_by(OutboxRow.id.desc())
        ).first()
        assert (row.attempts, row.done_at is not None) == (1, True)
        assert re.fullmatch(rf"{damaged.name} is NOT proven: .* is not there\.", row.outcome)


def test_how_old_a_backup_is_is_measured(proven):
    assert timedelta(seconds=proven.lag_seconds) < timedelta(minutes=10)
    assert set(asdict(proven)) >= {"restore_seconds", "lag_seconds"}
