"""A random month of trade, read by page from both providers: all that is planted is found, and nothing else."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from advancia.app import create_app
from advancia.config import ROOT, load_settings
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.providers.sandbox.server import SandboxServer
from advancia.reconciliation import runs
from advancia.reconciliation.runs import Window
from tests.reconciliation.house import House
from tests.reconciliation.month import LENGTH, Month, plant_inside, plant_outside

SECRET = "whsec_for_tests"
DAY = LENGTH / 29
SOME = 5000
FLAT = 24  # MB that a month may take more than a day
BALANCE = ("balance", "balance")  # what was posted by hand is in no list


@pytest.fixture
def place(scratch_of, tmp_path):
    """A product with books of its own, and the simulated providers that its processes find."""
    scratch = scratch_of()
    with SandboxServer(var=tmp_path, webhook_url="http://127.0.0.1:9/", secret=SECRET) as server:
        scratch.environ |= {"SANDBOX_URL": server.url, "SANDBOX_SECRET": SECRET}
        app = create_app(load_settings(scratch.environ))
        app.house, app.server, app.environ = House(scratch), server, scratch.environ
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def begin(days=30):
    now = utcnow()
    with unit_of_work() as session:
        return runs.begin(session, kind="nightly", window=Window(now - days * DAY, now))


def start(place):
    """`flask reconcile`, which goes on with what has begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "reconcile", "--json"],
        cwd=ROOT, env={**os.environ, **place.environ}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    """Wait for it, and give its report and how much memory it had at most, in MB."""
    most = 0
    while process.poll() is None:
        most = max(most, _peak(process.pid))
        time.sleep(0.05)
    told = process.stdout.read()
    assert process.returncode in (0, 1), told
    return json.loads(told), most


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


def found(run_id):
    rows = db.session.execute(
        text(
            "select d.side, d.check_name, d.kind, d.their_ref, d.our_ref, d.words from reconciliation_difference d "
            "join reconciliation_finding f on f.difference_id = d.id where f.run_id = :run_id"
        ),
        {"run_id": run_id},
    ).all()
    db.session.rollback()
    outside = {(row.their_ref or row.check_name, row.kind) for row in rows if row.side == "outside"}
    inside = {(row.check_name, row.kind, row.our_ref) for row in rows if row.side == "inside"}
    return outside, inside, rows


def items(run_id):
    count = db.session.scalar(
        text("select count(*) from reconciliation_item where run_id = :run_id"), {"run_id": run_id}
    )
    db.session.rollback()
    return count


def made(place, movements):
    """A month on both sides, and what a run over it has to find."""
    month = Month(place.house, random.Random(movements), movements=movements)
    plant_outside(month)
    month.write(place.server)
    inside = plant_inside(month)
    return {*month.planted.values(), BALANCE}, inside


def test_a_random_month_shows_what_is_planted_and_nothing_else(place):
    outside, inside = made(place, 400)
    run_id = begin()
    report, _most = finish(start(place))
    seen_outside, seen_inside, rows = found(run_id)

    assert seen_outside == outside, rows
    assert seen_inside == inside, rows
    assert report["verdict"] == "differs"


@pytest.mark.slow
def test_fifty_thousand_movements_are_compared_in_flat_memory_even_if_it_is_killed_in_the_middle(place):
    outside, inside = made(place, 50_000)
    run_id = begin()
    killed = start(place)
    while items(run_id) < SOME and killed.poll() is None:
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    before = items(run_id)
    assert before >= SOME
    report, most = finish(start(place))
    seen_outside, seen_inside, rows = found(run_id)

    assert report["run"] == run_id
    assert seen_outside == outside, rows
    assert seen_inside == inside, rows
    begin(days=1)
    _report, least = finish(start(place))
    assert most - least < FLAT, (most, least)
