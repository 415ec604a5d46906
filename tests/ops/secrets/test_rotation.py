"""Another field key: everything is brought under it, whatever dies or changes meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import psycopg
import pytest

from advancia.app import create_app
from advancia.config import ROOT, load_settings
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.encryption import Keyring, NoFieldKey, Undecryptable, key_id_of
from advancia.core.outbox import SECRET
from advancia.identity.factors.services import apps
from advancia.ops.secrets import rotation
from tests.support.factors import code, enrol_totp
from tests.support.people import new_customer
from tests.support.servers import eventually

OLD, NEW = "1d" * 31 + "0a", "2e" * 31 + "0b"
OLD_RING = Keyring([("old", bytes.fromhex(OLD))])
BOTH = Keyring([("new", bytes.fromhex(NEW)), ("old", bytes.fromhex(OLD))])
NEW_RING = Keyring([("new", bytes.fromhex(NEW))])


class Store:
    """A database with values under the old key in its outbox, and the command that brings them under the new one."""

    def __init__(self, scratch) -> None:
        self.scratch = scratch
        self.environ = {**scratch.environ, "FIELD_KEYS": f"new:{NEW},old:{OLD}", "LOG_LEVEL": "WARNING"}

    def fill(self, rows, *, ring=OLD_RING):
        """As many rows as told, whose work is due in a year; return their ids."""
        with self.scratch.owner() as owner:
            ids = [
                each
                for (each,) in owner.execute(
                    "INSERT INTO outbox (kind, payload, available_at) SELECT 'sweep', '{}', now() + interval '1 year' "
                    "FROM generate_series(1, %s) RETURNING id",
                    [rows],
                )
            ]
            owner.cursor().executemany(
                "UPDATE outbox SET encrypted_secret = %s WHERE id = %s",
                [(ring.encrypt(plain_of(each), **SECRET, row=each), each) for each in ids],
            )
        return ids

    def values(self):
        with self.scratch.owner() as owner:
            return dict(
                owner.execute("SELECT id, encrypted_secret FROM outbox WHERE encrypted_secret IS NOT NULL")
            )

    def set(self, row, value):
        with self.scratch.owner() as owner:
            owner.execute("UPDATE outbox SET encrypted_secret = %s WHERE id = %s", [value, row])

    def rotated(self):
        with self.scratch.owner() as owner:
            return owner.execute(
                "SELECT count(*) FROM outbox WHERE substring(encrypted_secret, 1, 5) = %s", [BOTH.newest_head]
            ).fetchone()[0]

    def command(self, *arguments, **environ):
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "secrets", "rotate", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run_for_real(self, *arguments, **environ):
        """The command in a process of its own: how it ended, and what it printed."""
        process = self.command(*arguments, **environ)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def run(self, *arguments, **environ):
        """As `run_for_real`, in this process, which saves the start of one."""
        with self.app(**environ) as app:
            ran = app.test_cli_runner().invoke(args=["secrets", "rotate", *arguments])
        return ran.exit_code, ran.stdout, ran.stderr

    @contextmanager
    def app(self, **environ):
        app = create_app(load_settings({**self.environ, **environ}))
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def store(scratch):
    return Store(scratch)


def plain_of(row):
    return f"the secret of {row}".encode()


def assert_all_readable(values, ring):
    for row, stored in values.items():
        assert ring.decrypt(stored, **SECRET, row=row) == plain_of(row)


def test_everything_is_brought_under_the_newest_key_and_reads_as_before(store):
    ids = store.fill(450)
    store.fill(3, ring=BOTH)

    code, out, err = store.run_for_real()

    assert code == 0, err
    assert "450 values were brought under the key new." in out
    assert "Nothing is left. No value needs old any more" in out
    assert len(store.values()) == len(ids) + 3
    assert_all_readable(store.values(), NEW_RING)


def test_a_second_run_changes_nothing(store):
    store.fill(5)
    store.run()
    before = store.values()

    code, out, _ = store.run()

    assert code == 0
    assert "0 values were brought" in out
    assert store.values() == before


def test_the_report_as_json_tells_the_same(store):
    store.fill(2)
    store.fill(1, ring=BOTH)

    code, out, _ = store.run("--json")

    assert code == 0
    report = json.loads(out)
    (column,) = [each for each in report["columns"] if each["column"] == "outbox.encrypted_secret"]
    assert column == {
        "column": "outbox.encrypted_secret",
        "rotated": 2,
        "overtaken": 0,
        "unreadable": [],
        "keys": {"new": 3},
    }
    assert (report["newest"], report["rotated"], report["left"], report["unused"]) == ("new", 2, 0, ["old"])


def test_no_secret_and_no_key_is_ever_printed(store):
    ids = store.fill(3)
    store.set(ids[0], OLD_RING.encrypt(b"elsewhere", **SECRET, row=ids[1]))

    printed = "".join(map(str, store.run_for_real())) + "".join(map(str, store.run_for_real("--json")))

    assert "the secret of" not in printed
    assert "elsewhere" not in printed
    assert OLD not in printed
    assert NEW not in printed


def test_what_cannot_be_read_is_left_as_it_is_named_and_told_by_the_exit_code(store):
    ids = store.fill(6)
    lost = Keyring([("lost", b"\x09" * 32)]).encrypt(b"?", **SECRET, row=ids[1])
    moved = OLD_RING.encrypt(b"?", **SECRET, row=ids[0])
    for row, value in ((ids[1], lost), (ids[3], moved), (ids[5], b"no value of ours")):
        store.set(row, value)

    code, out, _ = store.run()

    assert code == 1
    assert "3 values were brought" in out
    assert f"3 cannot be read, in the rows {ids[1]}, {ids[3]}, {ids[5]}." in out
    assert "1 left under the key lost." in out
    assert "1 left under the key old." in out
    assert "1 left under the key (none of ours)." in out
    assert "Keep those keys." in out
    assert [store.values()[ids[number]] for number in (1, 3, 5)] == [lost, moved, b"no value of ours"]
    assert_all_readable({row: store.values()[row] for row in (ids[0], ids[2], ids[4])}, NEW_RING)


def test_without_the_old_key_nothing_is_lost_and_the_exit_code_tells(store):
    store.fill(3)
    before = store.values()

    code, out, _ = store.run(FIELD_KEYS=f"new:{NEW}")

    assert code == 1
    assert "3 left under the key old." in out
    assert store.values() == before


def test_without_any_key_or_database_it_could_not_be_done(store):
    code, _, err = store.run_for_real(FIELD_KEYS="")
    assert (code, "Set FIELD_KEYS" in err) == (2, True)

    code, _, err = store.run_for_real(DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert (code, "It could not be done" in err, "Traceback" in err) == (2, True, False)


@pytest.mark.slow
def test_killed_at_any_point_it_loses_nothing_and_goes_on_where_it_was(store):
    rows = 6000
    store.fill(rows)
    chance = random.Random(4)
    kills = 0
    for share in (0.05, 0.3, 0.6):
        process = store.command()
        wanted = int(rows * (share + chance.random() * 0.1))
        eventually(lambda p=process, w=wanted: store.rotated() >= w or p.poll() is not None, "it is at work")
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate(timeout=30)
        assert len(store.values()) == rows
        assert_all_readable(store.values(), BOTH)

    before = store.rotated()
    code, out, err = store.run("--json")

    assert kills >= 2
    assert code == 0, err
    assert json.loads(out)["rotated"] == rows - before < rows
    assert_all_readable(store.values(), NEW_RING)


def test_a_value_that_changes_between_being_read_and_replaced_is_kept_as_it_is(store):
    """The product changes the row in a transaction that the rotation has to wait for."""
    ids = store.fill(20)
    theirs = BOTH.encrypt(b"changed meanwhile", **SECRET, row=ids[7])
    with psycopg.connect(store.environ["DATABASE_OWNER_URL"]) as product:
        product.execute("UPDATE outbox SET encrypted_secret = %s WHERE id = %s", [theirs, ids[7]])
        product.execute("UPDATE outbox SET encrypted_secret = NULL, done_at = now() WHERE id = %s", [ids[9]])
        process = store.command("--json")
        eventually(lambda: waits_for_us(store, product.info.backend_pid), "the rotation waits for the row")
        product.commit()
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    (column,) = [each for each in json.loads(out)["columns"] if each["rotated"]]
    assert (column["rotated"], column["overtaken"], column["unreadable"]) == (18, 2, [])
    assert store.values()[ids[7]] == theirs
    assert ids[9] not in store.values()
    assert_all_readable({row: value for row, value in store.values().items() if row != ids[7]}, NEW_RING)


def test_what_a_process_with_the_old_key_writes_meanwhile_is_told_as_left(store):
    ids = store.fill(20)
    theirs = OLD_RING.encrypt(b"by an old process", **SECRET, row=ids[7])
    with psycopg.connect(store.environ["DATABASE_OWNER_URL"]) as product:
        product.execute("UPDATE outbox SET encrypted_secret = %s WHERE id = %s", [theirs, ids[7]])
        process = store.command()
        eventually(lambda: waits_for_us(store, product.info.backend_pid), "the rotation waits for the row")
        product.commit()
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "1 left under the key old." in out
    assert store.values()[ids[7]] == theirs
    assert store.run()[0] == 0


def test_two_rotations_at_once_do_the_work_once(store):
    store.fill(500)
    with store.app() as app:
        reports = []

        def rotate():
            with app.app_context():
                reports.append(rotation.rotate(BOTH, batch=7))
                db.session.remove()

        threads = [threading.Thread(target=rotate) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sum(each.rotated for each in reports) == 500
    assert [each.left for each in reports] == [0, 0]
    assert_all_readable(store.values(), NEW_RING)


def test_progress_adds_up_to_what_was_due(store):
    store.fill(45)
    looked_at = []
    with store.app():
        waiting = rotation.due(db.session(), BOTH)
        db.session.rollback()
        rotation.rotate(BOTH, batch=10, progress=lambda _column, rows: looked_at.append(rows))

    assert sum(waiting.values()) == sum(looked_at) == 45


def test_a_rotation_stands_in_the_audit_trail_without_a_secret(store):
    store.fill(4)
    store.run()
    store.run()  # had nothing to do, and says nothing

    with store.scratch.owner() as owner:
        lines = owner.execute(
            "SELECT role, object_kind, object_id, after FROM audit_record WHERE action = 'secrets.rotate'"
        ).fetchall()

    assert lines == [("system", "field_key", "new", {"outbox.encrypted_secret": 4})]


def test_a_second_factor_goes_on_working_under_the_new_key_alone(store):
    with store.app(FIELD_KEYS=f"old:{OLD}") as app:
        amara = new_customer(app, "Amara Okafor")
        secret = enrol_totp(app, amara)

    assert store.run()[0] == 0

    with store.app(FIELD_KEYS=f"new:{NEW}") as app, unit_of_work() as session:
        keyring = app.extensions["keyring"]
        assert apps.accept(session, user_id=amara.id, code=code(secret), keyring=keyring, at=utcnow())


def test_without_a_key_the_rotation_refuses(app_context):
    with pytest.raises(NoFieldKey):
        rotation.rotate(Keyring([]))


def test_the_old_key_alone_reads_nothing_any_more(store):
    (row,) = store.fill(1)
    store.run()

    assert key_id_of(store.values()[row]) == "new"
    with pytest.raises(Undecryptable):
        OLD_RING.decrypt(store.values()[row], **SECRET, row=row)


def waits_for_us(store, pid):
    with store.scratch.owner() as owner:
        return owner.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND %s = ANY(pg_blocking_pids(pid))",
            [pid],
        ).fetchone()
