"""The relay rings for what is due, and again for what was lost."""

from __future__ import annotations

import socket
import time

import pytest
from redis import RedisError
from sqlalchemy import text

from advancia.config import load_settings
from advancia.core import outbox
from advancia.core.db import unit_of_work
from advancia.core.jobs import Job
from tests.support.servers import eventually
from worker import queue as bell
from worker.relay import ring_due_rows
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
    with unit_of_work() as session:
        ring_due_rows(session, doorbell)
    return doorbell.job_ids


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
    assert ring(doorbell) == [f"outbox-{row}-0"]
    assert ring(doorbell) == [f"outbox-{row}-0"]


def test_a_ring_that_still_waits_is_not_repeated_however_long(row, doorbell):
    ring(doorbell)
    let_time_pass(row, 3600)

    assert ring(doorbell) == [f"outbox-{row}-0"]


def test_a_flushed_queue_is_rung_anew(row, doorbell):
    ring(doorbell)
    doorbell.empty()
    assert ring(doorbell) == []
    let_time_pass(row, 26)

    assert ring(doorbell) == [f"outbox-{row}-0"]


def test_a_run_that_never_ended_is_rung_for_as_a_new_try(row, doorbell):
    ring(doorbell)
    doorbell.empty()
    with unit_of_work() as session:
        assert outbox.claim(session, row).attempt == 1
    let_time_pass(row, 26)

    assert ring(doorbell) == [f"outbox-{row}-1"]


def test_what_is_done_parked_or_for_later_is_left_alone(row, doorbell):
    for change in (
        "done_at = now()",
        "done_at = NULL, parked_at = now()",
        "parked_at = NULL, available_at = now() + interval '1 hour'",
    ):
        with unit_of_work() as session:
            session.execute(text(f"UPDATE outbox SET {change} WHERE id = :id"), {"id": row})
        assert ring(doorbell) == []


def test_a_queue_that_hangs_does_not_hold_the_relay_and_its_rows_for_ever(tmp_path, environ, row):
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        silent = bell.connection(load_settings({**environ, "REDIS_URL": f"unix://{path}"}))
        began = time.monotonic()
        with pytest.raises(RedisError), unit_of_work() as session:
            ring_due_rows(session, bell.queue(silent))

    assert time.monotonic() - began < 20


def test_two_relays_do_not_ring_for_the_same_row(app, row, doorbell):
    with unit_of_work() as session:
        ring_due_rows(session, doorbell)
        with app.app_context(), unit_of_work() as other:
            assert ring_due_rows(other, doorbell) == 0


def test_a_job_that_takes_long_and_says_so_is_not_taken_for_lost(row, doorbell):
    with unit_of_work() as session:
        claim = outbox.claim(session, row)
    assert claim is not None
    let_time_pass(row, 60)
    with Task(claim).kept(every=0.01):
        eventually(lambda: handed_ago(row) < 1, "the run says that it is at work")
        assert ring(doorbell) == []
    let_time_pass(row, 60)
    assert ring(doorbell) == [f"outbox-{row}-1"]


def handed_ago(row) -> float:
    with unit_of_work() as session:
        return session.scalar(
            text("SELECT extract(epoch FROM clock_timestamp() - handed_at) FROM outbox WHERE id = :id"),
            {"id": row},
        )


def test_the_full_proof_may_take_as_long_as_it_needs_and_other_jobs_may_not(row, doorbell):
    with unit_of_work() as session:
        outbox.put(session, Job.PROVE_LEDGER)
    ring(doorbell)
    allowed = [job.timeout for job in doorbell.jobs]
    assert allowed == [bell.JOB_TIMEOUT_SECONDS, bell.LONGER_SECONDS[Job.PROVE_LEDGER.value]]
