"""The clock: each turn once, whoever is the clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core import alarms
from advancia.core.db import db
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.core.recurring import TABLE, Line
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


@pytest.fixture
def clock(scratch):
    """A clock of its own that has known nothing yet: `clock(moment)` is one tick of it."""
    app = create_app(load_settings(scratch.environ))

    def tick(now):
        with app.app_context():
            return put_due_work(now)

    yield tick
    with app.app_context():
        db.engine.dispose()


def missed(scratch):
    with scratch.session() as session:
        return {each.about: each.words for each in alarms.open_alarms(session) if each.what == "clock.missed"}


def put_of(scratch, job):
    with scratch.session() as session:
        return session.scalars(
            select(OutboxRow.unique_key).where(OutboxRow.kind == job.value).order_by(OutboxRow.id)
        ).all()


NOON = datetime(2031, 5, 1, 12, 0, 3, tzinfo=UTC)


def test_a_new_installation_has_missed_nothing(scratch, clock):
    assert clock(NOON) == len(TABLE)
    assert missed(scratch) == {}


def test_a_line_that_is_new_has_missed_nothing(scratch, clock):
    clock(NOON)
    with scratch.owner() as owner:
        owner.execute("delete from clock_line where job = 'prove_ledger'")
    clock(NOON + timedelta(days=4))

    assert "prove_ledger" not in missed(scratch)


def test_a_restart_of_the_clock_misses_nothing(scratch, clock):
    clock(NOON)
    clock(NOON + timedelta(minutes=14))

    assert missed(scratch) == {}


def test_what_was_missed_is_caught_up_once_and_sounds_an_alarm_until_a_turn_comes_in_time(scratch, clock):
    clock(NOON)
    clock(NOON + timedelta(days=3))
    told = missed(scratch)
    assert told["prove_ledger"].startswith(
        "“Prove all of the ledger” was due on 2 May at 02:00 UTC and was not"
    )
    assert put_of(scratch, Job.PROVE_LEDGER) == [
        "prove_ledger@2031-05-01T02:00",
        "prove_ledger@2031-05-04T02:00",
    ]

    clock(NOON + timedelta(days=3, seconds=5))
    assert missed(scratch) == told

    clock(NOON + timedelta(days=3, minutes=1))
    assert "seal_ledger" not in missed(scratch)
    assert "prove_ledger" in missed(scratch)

    clock(datetime(2031, 5, 5, 2, 0, 2, tzinfo=UTC))
    assert "prove_ledger" not in missed(scratch)


def test_a_nightly_turn_that_comes_hours_late_is_missed_though_none_is_left_out(scratch, clock):
    clock(datetime(2031, 5, 1, 23, 0, tzinfo=UTC))
    clock(datetime(2031, 5, 2, 8, 0, tzinfo=UTC))

    assert "prove_ledger" in missed(scratch)


def test_a_clock_that_was_put_back_puts_nothing_twice_and_misses_nothing(scratch, clock):
    clock(NOON)
    clock(NOON - timedelta(minutes=10))
    put = put_of(scratch, Job.SEAL_LEDGER)
    clock(NOON)
    clock(NOON + timedelta(minutes=1))

    assert missed(scratch) == {}
    assert put_of(scratch, Job.SEAL_LEDGER) == [*put, "seal_ledger@2031-05-01T12:01"]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/10 * * * *", "Every 10 minutes"),
        ("17 * * * *", "Every hour at 17 minutes past"),
        ("5 2 * * *", "Every day at 02:05 UTC"),
        ("30 3 * * 0", "Every Sunday at 03:30 UTC"),
        ("0 4 1 * *", "0 4 1 * *"),
    ],
)
def test_a_rhythm_is_told_in_words(when, words):
    assert Line(Job.SWEEP, when).rhythm == words


@pytest.mark.parametrize("line", TABLE, ids=lambda line: line.job.value)
def test_each_line_says_what_it_is_for_and_when_it_runs(line):
    assert line.words
    assert line.rhythm.startswith("Every ")


def test_no_job_has_two_lines():
    assert len({line.job for line in TABLE}) == len(TABLE)
