"""The relay rings for what is due, and again for what was lost."""

from __future__ import annotations

import socket
import time

import pytest
from redis import RedisError
from sqlalchemy import text

from advancia.config import load_settings
from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from tests.support.servers import eventually
from worker import crew
from worker import queue as bell
from worker.relay import ring_if_due
from worker.tasks import Task


@pytest.fixture
def doorbell(settings):
    with bell.connection(settings) as redis:
        queue = bell.queue(redis)
        queue.empty()
        yield queue
        queue.empty()


@pytest.fixture
def row(app_context):
    with unit_of_work() as session:
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))
        outbox.put(session, Job.SWEEP)
        return session.scalar(text("SELECT max(id) FROM outbox"))


def ring(doorbell):
    """Let the relay look once; give how many rings wait then."""
    ring_if_due(db.session(), doorbell)
    db.session.rollback()
    return doorbell.count


def let_time_pass(row, seconds):
    with unit_of_work() as session:
        session.execute(
            text(
                "UPDATE outbox SET handed_at = handed_at - make_interval(secs => :s), "
                "available_at = available_at - make_interval(secs => :s) WHERE id = :id"
            ),
            {"id": row, "s": seconds},
        )


def test_a_new_row_is_rung_for_once(row, doorbell):
    assert ring(doorbell) == 1
    assert ring(doorbell) == 1


def test_many_rows_are_one_ring(row, doorbell):
    with unit_of_work() as session:
        for _ in range(20):
            outbox.put(session, Job.SWEEP)

    assert ring(doorbell) == 1


def test_a_ring_that_still_waits_is_not_repeated_however_long(row, doorbell):
    ring(doorbell)
    let_time_pass(row, 3600)

    assert ring(doorbell) == 1


def test_a_flushed_queue_is_rung_anew(row, doorbell):
    ring(doorbell)
    doorbell.empty()

    assert ring(doorbell) == 1


def test_a_ring_names_a_function_that_there_is(row, doorbell):
    ring(doorbell)

    assert doorbell.jobs[0].func is crew.work_off


def test_a_run_that_is_under_way_is_not_rung_for_and_one_that_never_ended_is(row, doorbell):
    with unit_of_work() as session:
        assert outbox.claim(session, row).attempt == 1
    let_time_pass(row, 20)
    assert ring(doorbell) == 0
    let_time_pass(row, 6)

    assert ring(doorbell) == 1


def test_what_is_done_parked_or_for_later_is_left_alone(row, doorbell):
    for change in (
        "done_at = now()",
        "done_at = NULL, parked_at = now()",
        "parked_at = NULL, available_at = now() + interval '1 hour'",
    ):
        with unit_of_work() as session:
            session.execute(text(f"UPDATE outbox SET {change} WHERE id = :id"), {"id": row})
        assert ring(doorbell) == 0


def test_a_queue_that_hangs_does_not_hold_the_relay_and_its_rows_for_ever(tmp_path, environ, row):
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        silent = bell.connection(load_settings({**environ, "REDIS_URL": f"unix://{path}"}))
        began = time.monotonic()
        with pytest.raises(RedisError):
            ring_if_due(db.session(), bell.queue(silent))

    assert time.monotonic() - began < 20


def test_two_relays_ring_once(app, row, doorbell):
    assert ring_if_due(db.session(), doorbell)
    with app.app_context():
        assert not ring_if_due(db.session(), doorbell)


def test_a_job_that_takes_long_and_says_so_is_not_taken_for_lost(row, doorbell):
    with unit_of_work() as session:
        claim = outbox.claim(session, row)
    assert claim is not None
    let_time_pass(row, 60)
    with Task(claim).kept(every=0.01):
        eventually(lambda: handed_ago(row) < 1, "the run says that it is at work")
        assert ring(doorbell) == 0
    let_time_pass(row, 60)
    assert ring(doorbell) == 1


def handed_ago(row) -> float:
    with unit_of_work() as session:
        return session.scalar(
            text("SELECT extract(epoch FROM clock_timestamp() - handed_at) FROM outbox WHERE id = :id"),
            {"id": row},
        )
