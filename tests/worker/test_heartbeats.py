"""Signs of life: written by the loops that do the work, and by nothing else."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core import heartbeats, outbox
from advancia.core.db import db, unit_of_work
from advancia.core.heartbeats import Heartbeat, Pulse
from advancia.core.jobs import Job
from advancia.core.locks import Lock
from tests.support.servers import eventually
from worker import crew as crews
from worker import relay, schedule, tasks


@pytest.fixture
def silent(app_context):
    """Nobody was heard yet, and nothing is due."""
    with unit_of_work() as session:
        session.execute(text("DELETE FROM heartbeat"))
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))


@pytest.fixture
def running(app):
    """Run a loop in a thread until the test is over: `running(relay.run)`."""
    stop, threads = threading.Event(), []

    def run(loop):
        threads.append(threading.Thread(target=loop, args=(app, stop)))
        threads[-1].start()

    yield run
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def heard():
    db.session.rollback()
    return set(heartbeats.last_beats(db.session()))


@pytest.mark.parametrize(("loop", "process"), [(relay.run, "relay"), (schedule.run, "clock")])
def test_relay_and_clock_are_heard_while_they_work_and_take_their_leave(silent, app, loop, process):
    stop = threading.Event()
    thread = threading.Thread(target=loop, args=(app, stop))
    thread.start()
    eventually(lambda: heard() == {process}, f"the {process} is heard")
    stop.set()
    thread.join(20)

    assert heard() == set()


def test_a_clock_that_waits_for_its_turn_to_be_the_clock_is_not_heard(silent, app, settings):
    import psycopg

    stop = threading.Event()
    with psycopg.connect(settings.database_url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (Lock.CLOCK,))
        thread = threading.Thread(target=schedule.run, args=(app, stop))
        thread.start()
        thread.join(0.5)
        assert heard() == set()
        stop.set()
    thread.join(20)


def test_a_worker_is_heard_while_a_long_job_runs(silent, app, monkeypatch):
    monkeypatch.setattr(crews, "PULSE", Pulse("worker", every=0.0))
    gate = threading.Event()
    tasks.functions()
    monkeypatch.setitem(tasks._functions, Job.SWEEP.value, lambda task: gate.wait(20))
    with unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
    crew = crews.Crew(app, hands=1)
    shift = threading.Thread(target=lambda: in_context(app, crew.work_off))
    shift.start()
    eventually(lambda: "worker" in heard(), "the worker is heard")
    with unit_of_work() as session:
        session.execute(text("UPDATE heartbeat SET seen_at = seen_at - interval '1 hour'"))
    eventually(
        lambda: age("worker") < timedelta(seconds=30), "the worker is heard again, the job still at work"
    )
    gate.set()
    shift.join(20)
    crew.finish()


def test_a_beat_is_written_at_most_so_often(silent):
    pulse = Pulse("worker", every=3600)
    pulse.beat()
    with unit_of_work() as session:
        session.execute(text("UPDATE heartbeat SET seen_at = seen_at - interval '1 minute'"))
    pulse.beat()

    assert age("worker") >= timedelta(minutes=1)


def test_a_new_process_of_an_old_number_is_not_taken_for_the_old_one(silent):
    Pulse("worker").beat()
    with unit_of_work() as session:
        session.execute(text("UPDATE heartbeat SET started_at = started_at - interval '1 day'"))
    Pulse("worker").beat()

    (one,) = heartbeats.living(db.session())
    assert one.seen_at - one.started_at < timedelta(minutes=1)


def test_trouble_with_the_database_is_outlived(environ):
    nowhere = {**environ, "DATABASE_URL": "postgresql://advancia_app@127.0.0.1:9/advancia"}
    with create_app(load_settings(nowhere)).app_context():
        pulse = Pulse("worker")
        pulse.beat()
        pulse.stop()


def test_who_was_not_heard_for_long_is_silent_and_after_an_hour_forgotten_but_for_the_last_of_its_kind(
    silent,
):
    for instance, ago in (("a:1", 0), ("a:2", 60), ("a:3", 7200)):
        with unit_of_work() as session:
            session.execute(
                text(
                    "INSERT INTO heartbeat (process, instance, seen_at) "
                    "VALUES ('worker', :instance, now() - make_interval(secs => :ago)), "
                    "('relay', :instance, now() - make_interval(secs => :ago + 7200))"
                ),
                {"instance": instance, "ago": ago},
            )
    assert [(each.instance, each.is_silent) for each in heartbeats.living(db.session())] == [
        ("a:1", False),
        ("a:2", True),
    ]

    with unit_of_work() as session:
        heartbeats.forget_the_gone(session)
    left = db.session.execute(select(Heartbeat.process, Heartbeat.instance)).all()
    assert sorted(map(tuple, left)) == [("relay", "a:1"), ("worker", "a:1"), ("worker", "a:2")]


def age(process):
    db.session.rollback()
    seen_at = heartbeats.last_beats(db.session())[process]
    return db.session.scalar(text("SELECT clock_timestamp()")) - seen_at


def in_context(app, call):
    with app.app_context():
        call()
