"""The clock: each turn once, whoever is the clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from advancia.core.db import db
from advancia.core.jobs import Job
from advancia.core.recurring import Line
from worker import schedule
from worker.schedule import put_due_work


@pytest.mark.parametrize(
    ("now", "turn"),
    [
        (datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC), datetime(2026, 11, 24, 2, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 2, 0, 31, tzinfo=UTC), datetime(2026, 11, 24, 2, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 1, 59, 59, tzinfo=UTC), datetime(2026, 11, 23, 2, 0, tzinfo=UTC)),
    ],
)
def test_the_last_turn_of_a_nightly_line(now, turn):
    assert Line(Job.CHECK_LEDGER, "0 2 * * *").last_turn(now) == turn


def test_a_turn_is_put_once_and_a_long_pause_is_caught_up_with_one(app_context):
    def nightly():
        db.session.rollback()
        return db.session.scalar(
            text("SELECT count(*) FROM outbox WHERE unique_key LIKE 'check_ledger@2031-%'")
        )

    night = datetime(2031, 5, 1, 2, 0, 5, tzinfo=UTC)
    put_due_work(night)
    put_due_work(night + timedelta(seconds=5))
    assert nightly() == 1

    put_due_work(night + timedelta(days=9))
    assert nightly() == 2


def test_trouble_with_the_database_is_waited_out_by_the_clock(app, monkeypatch):
    stop, tries = threading.Event(), []

    def restarting(_now):
        tries.append(1)
        if len(tries) == 2:
            stop.set()
        raise OperationalError("INSERT", {}, Exception("the database is starting up"))

    monkeypatch.setattr(schedule, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(schedule, "put_due_work", restarting)
    schedule.run(app, stop)

    assert len(tries) == 2
