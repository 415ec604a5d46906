"""`./run` as a newcomer meets it: a clone of what is committed, in a folder of its own."""

import http.client
import json
import os
import signal
import subprocess
import time

import pytest

from advancia.ops.dev.processes import birth_of
from tests.ops.dev.support import ROOT
from tests.support.servers import eventually, free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("run"), pytest.mark.timeout(600)]

# Seconds; promised for a machine that does nothing else, so a busy one gets as much longer as it is slower.
FIRST_START = 90
SECOND_START = 5
IMPORT_WHEN_IDLE = 2.0


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone without a `.venv`: its first start installs everything."""
    folder = tmp_path_factory.mktemp("clone") / "advancia"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, folder], check=True)
    return folder


@pytest.fixture
def run(clone, start):
    """Start `./run` in the clone; return what runs and its port."""

    def run_it(var="var", **environ):
        port = free_port()
        return start([clone / "run"], ADVANCIA_VAR=str(clone / var), PORT=str(port), **environ), port

    return run_it


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in (
        "ADVANCIA_VAR",
        "ADVANCIA_ENV",
        "DATABASE_URL",
        "DATABASE_OWNER_URL",
        "REDIS_URL",
        "PYTHONPATH",
    ):
        monkeypatch.delenv(name, raising=False)


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def is_well(port: int) -> bool:
    """Whether servers and processes all work again; what a new copy has not done yet, like a backup, is left out."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/api/health")
        parts = json.loads(connection.getresponse().read())["parts"]
    finally:
        connection.close()
    return all(parts[each]["ok"] for each in ("database", "cache", "migrations", "worker", "relay", "clock"))


def slowness(clone) -> float:
    """How many times longer than on an idle machine things take now."""
    begun = time.monotonic()
    subprocess.run([clone / ".venv" / "bin" / "python", "-c", "import advancia.app"], cwd=clone, check=True)
    return max(1.0, (time.monotonic() - begun) / IMPORT_WHEN_IDLE)


def serves(running, port, *, within: float) -> None:
    begun = time.monotonic()
    running.says(f"http://localhost:{port}", seconds=within * 3)
    took = time.monotonic() - begun
    assert status_of(port, "/health") == 200
    assert status_of(port, "/login") == 200
    assert took < within, f"it took {took:.1f} s"


def pids_of(var) -> list[int]:
    files = [*(var / "run").glob("*.pid"), *var.glob("*/server.pid")]
    return [json.loads(path.read_text())["pid"] for path in files]


def test_it_serves_within_90_seconds_then_within_5_and_stops_in_seconds(clone, run):
    first, port = run()
    serves(first, port, within=FIRST_START)
    assert "amara@demo.example" in first.words
    pids = pids_of(clone / "var")
    assert len(pids) == 7  # five processes and two servers

    first.send(signal.SIGTERM)
    assert first.ends(seconds=15) == 0
    assert not any(birth_of(pid) for pid in pids)

    second, port = run()
    serves(second, port, within=SECOND_START * slowness(clone))
    second.send(signal.SIGINT)
    assert second.ends(seconds=15) == 0


def test_two_copies_run_side_by_side_and_a_killed_one_comes_back(clone, run):
    one, port_of_one = run("var")
    two, port_of_two = run("var2")
    serves(one, port_of_one, within=60)
    serves(two, port_of_two, within=60)

    two.send(signal.SIGKILL)
    two.ends()
    again, port = run("var2")
    serves(again, port, within=60)

    assert status_of(port_of_one, "/health") == 200


def test_commands_with_the_same_folder_find_the_running_servers(clone, run):
    running, port = run()
    serves(running, port, within=60)

    checked = subprocess.run(
        [clone / ".venv" / "bin" / "python", "-m", "flask", "--app", "wsgi", "ledger", "check"],
        cwd=clone,
        env=os.environ | {"ADVANCIA_VAR": str(clone / "var")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


def test_a_database_that_is_killed_comes_back_and_pages_with_it(clone, run):
    running, port = run()
    serves(running, port, within=60)
    database = json.loads((clone / "var" / "postgres" / "server.pid").read_text())["pid"]

    os.kill(database, signal.SIGKILL)

    running.says("database  ended; it is started again")
    eventually(lambda: is_well(port), "the whole product is well again")
