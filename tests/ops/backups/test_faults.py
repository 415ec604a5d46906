"""Whatever breaks in the middle of a backup: plain words on its row, nothing half kept, and the next one works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from advancia.config import ROOT
from advancia.core.db import db
from advancia.ops.backups import running
from advancia.ops.backups.errors import BackupFailed, NotSetUp
from advancia.ops.backups.models import Backup, State
from advancia.ops.dev.postgres import PostgresCluster, binary
from tests.conftest import migrate
from tests.support.backups import back_up, open_alarms, product_of
from tests.support.servers import eventually

FLASK = [sys.executable, "-m", "flask", "--app", "wsgi"]
TINY_BYTES = 64 * 1024


def the_only_row() -> Backup:
    db.session.rollback()
    return db.session.scalars(select(Backup)).one()


def files(app: Flask) -> list[str]:
    return sorted(path.name for path in Path(app.extensions["settings"].backups.target).glob("*"))


@pytest.fixture
def pg_dump_that(tmp_path) -> Callable[[str], Path]:
    """A folder with a pg_dump that does something first, in the language of the shell; `$REAL` is the true one."""

    def make(script: str) -> Path:
        program = tmp_path / "pg_dump"
        program.write_text(
            f'#!/bin/sh\nREAL={binary("pg_dump")}\n[ "$1" = --version ] && exec "$REAL" --version\n{script}\n'
        )
        program.chmod(0o755)
        return tmp_path

    return make


def test_a_file_that_may_not_grow_is_a_disk_that_is_full(scratch, product):
    ran = subprocess.run(
        ["sh", "-c", f'ulimit -f {TINY_BYTES // 512}; exec "$0" "$@"', *FLASK, "backup", "create"],
        cwd=ROOT,
        env={**os.environ, **scratch.environ},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1, ran.stderr
    assert "There is no room left for a backup" in ran.stderr
    assert the_only_row().failure in ran.stderr
    assert files(product) == []
    assert open_alarms() == {"backup.failed"}
    assert back_up(product).state == State.DONE
    assert open_alarms() == set()


@pytest.fixture
def tiny_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={TINY_BYTES}", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("Only who may mount a disk can fill one.")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_said_and_keeps_nothing(product, tiny_disk):
    with pytest.raises(BackupFailed, match="There is no room left") as refusal:
        back_up(product, target=str(tiny_disk))

    assert (the_only_row().state, the_only_row().failure) == (State.FAILED, str(refusal.value))
    assert list(tiny_disk.iterdir()) == []
    assert back_up(product).state == State.DONE


def test_a_folder_that_we_may_not_write_to_is_said(product, tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(BackupFailed, match="does not do what is asked"):
        back_up(product, target=str(tmp_path / "file"))


def test_a_killed_process_leaves_a_row_that_the_next_one_closes_and_a_part_that_it_sweeps(
    scratch, product, pg_dump_that
):
    stuck = pg_dump_that("head -c 300000 /dev/urandom\nsleep 60")
    process = subprocess.Popen(
        [*FLASK, "backup", "create"],
        cwd=ROOT,
        env={**os.environ, **scratch.environ, "BACKUP_PG_BIN": str(stuck)},
        start_new_session=True,
    )
    try:
        eventually(lambda: any(name.endswith(".part") for name in files(product)), "a part is begun")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for group in stuck_children(stuck):
        os.killpg(group, signal.SIGKILL)
    assert the_only_row().state == State.RUNNING
    lost = the_only_row().id

    made = back_up(product)

    assert made.state == State.DONE
    assert (db.session.get(Backup, lost).state, db.session.get(Backup, lost).failure) == (
        State.FAILED,
        running.BROKEN_OFF,
    )
    assert files(product) == [f"{made.name}.dump.age", f"{made.name}.manifest.json"]


def stuck_children(folder: Path) -> list[int]:
    """Processes that were started from that folder and have outlived who started them."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in line.read_bytes():
                found.append(int(line.parent.name))
        except OSError:
            continue
    return found


def test_a_pg_dump_that_fails_is_quoted(product, pg_dump_that):
    broken = pg_dump_that('echo PGDMP; echo "pg_dump: error: the disk is on fire" >&2; exit 3')

    with pytest.raises(BackupFailed, match="pg_dump ended with 3: pg_dump: error: the disk is on fire"):
        back_up(product, pg_bin=broken)

    assert files(product) == []


def test_a_pg_dump_of_another_version_is_refused(product, tmp_path):
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.2'\n")
    program.chmod(0o755)

    with pytest.raises(
        BackupFailed, match="set BACKUP_PG_BIN to the folder with the programs of PostgreSQL 18"
    ):
        back_up(product, pg_bin=tmp_path)


def test_without_a_place_none_is_begun(product):
    with pytest.raises(NotSetUp, match="BACKUP_TARGET"):
        back_up(product, target=None)

    assert db.session.scalars(select(Backup)).all() == []
    assert open_alarms() == {"backup.failed"}


@pytest.mark.slow
def test_a_database_that_is_restarted_in_the_middle_ends_the_backup_and_the_next_one_works(
    servers, tmp_path_factory, pg_dump_that
):
    folder = tmp_path_factory.mktemp("restarted")
    folder.chmod(0o755)
    cluster = PostgresCluster(folder / "postgres", durable=False)
    cluster.start()
    try:
        environ = servers.environ("advancia", var=folder / "var") | {
            "DATABASE_URL": cluster.url("advancia_app", "advancia"),
            "DATABASE_OWNER_URL": cluster.url("advancia_owner", "advancia"),
        }
        migrate(environ)
        go, begun = folder / "go", folder / "begun"
        waiting = pg_dump_that(f'touch {begun}; while [ ! -e {go} ]; do sleep 0.05; done; exec "$REAL" "$@"')

        def restart() -> None:
            eventually(begun.exists, "pg_dump is begun")
            cluster.restart()
            go.touch()

        thread = threading.Thread(target=restart)
        thread.start()
        with product_of(environ) as app:
            with pytest.raises(BackupFailed, match="pg_dump ended with 1"):
                back_up(app, pg_bin=waiting)
            thread.join()

            assert the_only_row().state == State.FAILED
            assert files(app) == []
            assert back_up(app).state == State.DONE
    finally:
        cluster.stop()
