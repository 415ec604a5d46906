"""The benchmark of the ledger runs, and tells what it measured and on what."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from bench.ledger.goals import Goals
from bench.ledger.scale import FULL
from tests.ops.dev.support import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run: what it printed, its JSON, and how long it took."""
    file = tmp_path_factory.mktemp("bench") / "run.json"
    begun = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "ledger", "--short", "--not-durable", "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, json.loads(file.read_text(encoding="utf-8")), time.monotonic() - begun


def test_every_contender_takes_part(run):
    _, figures, _ = run
    contenders = [each for section in figures["sections"] for each in section["contenders"]]
    absent = {each["name"]: each["absent"] for each in contenders if not each["rate"]}
    assert not absent
    assert len(contenders) > 40


def test_it_names_machine_server_rounds_and_commit(run):
    words, figures, _ = run
    for fact in ("processors", "memory", "PostgreSQL", "rounds", "commit", "load before"):
        assert figures["facts"][fact]
        assert f"{fact}: {figures['facts'][fact]}" in words


def test_books_are_proven_after_all_that_posting(run):
    words, _, _ = run
    assert "The books were proven afterwards" in words


def test_costs_are_told(run):
    _, figures, _ = run
    singles = figures["sections"][0]["contenders"]
    assert all(each["cpu_seconds_each"] > 0 and each["wal_bytes_each"] > 0 for each in singles)


def test_it_is_short(run):
    _, _, seconds = run
    assert seconds < 120  # on a machine that is busy with other tests; half of it on one that is not


def test_the_goals_speak_of_contenders_that_there_are(run):
    """A goal whose name nobody bears would be "not measured" for ever."""
    _, figures, _ = run
    unmeasured = [each["goal"] for each in figures["goals"] if each["holds"] is None]
    assert all("django-hordak" in goal or "1 client " in f"{goal} " for goal in unmeasured)
    assert Goals({}, FULL).all()
