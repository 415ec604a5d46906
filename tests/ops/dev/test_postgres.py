"""The embedded PostgreSQL: whoever starts it, wherever it lies, and whatever happened to it before."""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from advancia.ops.dev.errors import StartError
from advancia.ops.dev.logs import last_lines
from advancia.ops.dev.postgres import STILL_IN_USE, PostgresCluster, binary
from advancia.ops.dev.postgres_checks import explain
from advancia.ops.dev.processes import birth_of, wait_until
from advancia.ops.dev.unprivileged import way_to_run
from tests.ops.dev.support import NOBODY, ROOT, as_ordinary_user, python

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it out")
STARTS_AND_STOPS = """
import os, sys
from pathlib import Path
from advancia.ops.dev.errors import StartError
from advancia.ops.dev.postgres import PostgresCluster
cluster = PostgresCluster(Path(sys.argv[1]), durable=False)
try:
    cluster.start()
    print(os.geteuid(), cluster.sql("SELECT 'it runs'"))
except StartError as failure:
    print(failure)
finally:
    cluster.stop()
"""


@pytest.fixture(scope="module")
def _cluster(tmp_path_factory):
    cluster = PostgresCluster(tmp_path_factory.mktemp("postgres"))
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(_cluster):
    """A server shared by this module's tests, running at the start of each."""
    _cluster.start()
    return _cluster


def run_script(command, folder) -> str:
    ran = subprocess.run(
        [*command, str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.stdout + ran.stderr


def test_it_makes_the_two_roles_and_the_owners_database(cluster):
    owned_by = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'advancia'"
    assert cluster.sql(owned_by) == "advancia_owner"

    app = subprocess.run(
        [binary("psql"), "-XAt", "-d", cluster.url("advancia_app", "advancia"), "-c", "CREATE TABLE mine ()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "permission denied for schema public" in app.stderr


def test_it_keeps_time_in_utc_and_text_in_utf8_and_listens_on_no_port(cluster):
    assert cluster.sql("SHOW timezone; SHOW server_encoding; SHOW listen_addresses") == "UTC\nUTF8"


def test_starting_it_again_changes_nothing(cluster):
    before = cluster.process.pid

    cluster.start()

    assert cluster.process.pid == before


def test_what_was_committed_survives_kill_9(cluster):
    cluster.sql("CREATE TABLE kept AS SELECT 42 AS answer", database="advancia")

    cluster.kill()
    assert not cluster.is_running
    cluster.start()

    assert cluster.sql("SELECT answer FROM kept", database="advancia") == "42"


def test_it_waits_for_a_process_that_a_killed_server_has_left_behind(cluster):
    known = last_lines(cluster.log, 1000).count(STILL_IN_USE)
    with psycopg.connect(cluster.url("postgres", "postgres")) as client, ThreadPoolExecutor() as other:
        left_behind = client.info.backend_pid
        os.kill(left_behind, signal.SIGSTOP)
        os.kill(cluster.process.pid, signal.SIGKILL)
        cluster.process.wait()
        started = other.submit(cluster.start)
        wait_until(lambda: last_lines(cluster.log, 1000).count(STILL_IN_USE) > known, seconds=30)
        os.kill(left_behind, signal.SIGCONT)
        started.result(timeout=60)

    assert cluster.is_ready
    assert last_lines(cluster.log, 1000).count(STILL_IN_USE) > known


def test_it_starts_although_its_old_process_id_is_somebody_elses_now(cluster):
    cluster.kill()
    lock = cluster.data / "postmaster.pid"
    lock.write_text("\n".join([str(os.getpid()), *lock.read_text().splitlines()[1:]]) + "\n")
    (cluster.sockets / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")

    cluster.start()

    assert cluster.is_ready


def test_a_second_server_on_the_same_data_is_refused_with_the_first_ones_number(cluster):
    with pytest.raises(StartError, match=f"Another PostgreSQL \\(process {cluster.process.pid}\\) is using"):
        PostgresCluster(cluster.folder).start()

    assert cluster.is_ready


def test_databases_are_made_from_a_template_and_dropped_under_their_users(cluster):
    cluster.create_database("model")
    cluster.sql("CREATE TABLE page (number int)", database="model")
    cluster.create_database("copy", template="model")
    reader = subprocess.Popen(
        [binary("psql"), "-X", "-d", cluster.url("advancia_owner", "copy")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )

    assert cluster.sql("SELECT count(*) FROM page", database="copy") == "0"
    cluster.drop_database("copy")
    cluster.drop_database("copy")

    assert cluster.sql("SELECT count(*) FROM pg_database WHERE datname = 'copy'") == "0"
    reader.communicate()


def test_only_plain_names_reach_the_server(cluster):
    with pytest.raises(ValueError, match="no plain name"):
        cluster.create_database('x"; DROP DATABASE advancia; --')


def test_stopping_leaves_no_process_and_no_socket(cluster):
    pid = cluster.process.pid

    cluster.stop()

    assert birth_of(pid) is None
    assert not cluster.sockets.exists()


def test_a_restart_comes_back_with_its_data(cluster):
    cluster.create_database("before")

    cluster.restart()

    assert cluster.sql("SELECT count(*) FROM pg_database WHERE datname = 'before'") == "1"


def test_data_of_another_major_version_is_refused_and_left_alone(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")

    with pytest.raises(StartError, match=r"was made by PostgreSQL 15 and this is \d+: dump it"):
        PostgresCluster(tmp_path).start()

    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_long_path_gets_a_short_folder_for_the_socket_which_is_ours_alone(tmp_path):
    cluster = PostgresCluster(tmp_path / ("long" * 30), durable=False)
    try:
        cluster.start()

        assert cluster.sql("SELECT 1") == "1"
        assert len(os.fsencode(cluster.sockets)) < 80
        assert cluster.sockets.stat().st_mode & 0o777 == 0o700
        assert PostgresCluster(cluster.folder).sockets == cluster.sockets
    finally:
        cluster.stop()
    assert not cluster.sockets.exists()


def test_a_short_folder_that_others_can_open_is_refused(tmp_path):
    home = tmp_path / ("long" * 30)
    sockets = PostgresCluster(home).sockets
    sockets.mkdir()
    sockets.chmod(0o755)
    try:
        with pytest.raises(StartError, match="is not a folder of ours alone: remove it"):
            PostgresCluster(home).start()
    finally:
        sockets.rmdir()


def test_a_path_may_hold_what_people_put_into_names(tmp_path):
    cluster = PostgresCluster(tmp_path / "my pay, 50% o'é", durable=False)
    try:
        cluster.start()
        assert cluster.sql("SELECT 1") == "1"
    finally:
        cluster.stop()


def test_half_a_database_from_an_interrupted_start_is_made_anew(tmp_path):
    (tmp_path / "data.unfinished").mkdir()
    (tmp_path / "data.unfinished" / "PG_VERSION").write_text("1")
    cluster = PostgresCluster(tmp_path, durable=False)
    try:
        cluster.start()
        assert cluster.is_ready
    finally:
        cluster.stop()


def test_an_ordinary_user_runs_it_as_themselves(place):
    if os.geteuid() == 0:
        os.chown(place, NOBODY, NOBODY)

    said = run_script(as_ordinary_user(python(STARTS_AND_STOPS)), place / "postgres")

    assert said.strip().endswith("it runs")
    assert not said.startswith("0 ")


@needs_root
def test_an_ordinary_user_is_told_of_a_folder_that_is_not_theirs(place):
    said = run_script(as_ordinary_user(python(STARTS_AND_STOPS)), place / "postgres")

    assert said.startswith(f"{place}/postgres cannot be written to (Permission denied): set ADVANCIA_VAR to")
    assert said.count("\n") == 1


@needs_root
def test_an_ordinary_user_is_told_of_a_database_that_is_roots(place):
    (place / "postgres" / "socket").mkdir(parents=True)
    (place / "postgres").chmod(0o755)

    said = run_script(as_ordinary_user(python(STARTS_AND_STOPS)), place / "postgres")

    assert "belongs to another user (number 0): start this as that user" in said


@needs_root
def test_root_runs_it_in_a_namespace_and_no_file_changes_hands(cluster):
    if subprocess.run(["unshare", "--user", "true"], check=False).returncode != 0:
        pytest.skip("this system lets nobody make a user namespace")
    assert {path.stat().st_uid for path in cluster.data.iterdir()} == {0}


@needs_root
def test_root_runs_it_as_the_owner_where_the_folder_is_another_users(place):
    """This is also the way for `nobody`, where user namespaces are off: they are given the folder first."""
    os.chown(place, NOBODY, NOBODY)
    if not reachable_to_everybody(binary("postgres")):
        with pytest.raises(StartError, match="no other user can reach"):
            way_to_run(binary("postgres"), place)
        return

    assert run_script(python(STARTS_AND_STOPS), place) == "0 it runs\n"
    assert (place / "data" / "PG_VERSION").stat().st_uid == NOBODY


@needs_root
def test_without_namespaces_root_falls_back_to_nobody(place, monkeypatch):
    tools = place / "tools"
    tools.mkdir()
    for tool in ("sh", "rm"):
        (tools / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tools))
    folder = place / "postgres"
    folder.mkdir()
    if not reachable_to_everybody(binary("postgres")):
        with pytest.raises(StartError, match="no other user can reach"):
            way_to_run(binary("postgres"), folder)
        return

    assert way_to_run(binary("postgres"), folder).user == NOBODY
    assert folder.stat().st_uid == NOBODY


@needs_root
def test_a_disk_without_room_is_told_before_anything_is_written(place):
    mounted = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=40m none "$1" && shift && exec "$@"',
        "sh",
        place,
    ]
    if subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this root may not mount anything")

    said = run_script([*mounted, *python(STARTS_AND_STOPS)], place / "postgres")

    assert "has 40 MB left and the database needs 200 MB: make room" in said.replace("39 MB", "40 MB")


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', "is full: make room"),
        ('could not open file "base/1/2": Permission denied', "correct its permissions"),
        (
            "FATAL:  could not create shared memory segment: Cannot allocate memory",
            "gives PostgreSQL no shared memory",
        ),
        (
            "LOG:  starting\nFATAL:  something new\nLOG:  stopped",
            "did not start: something new (more in /l.log).",
        ),
        ("", "it gave no reason"),
    ],
)
def test_the_servers_last_words_become_one_sentence(log, sentence):
    assert sentence in str(explain(log, Path("/data"), Path("/l.log")))


def reachable_to_everybody(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


def test_this_python_is_the_one_that_carries_the_server():
    assert Path(sys.prefix) in binary("postgres").parents
