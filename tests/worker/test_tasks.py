"""How jobs are tried, repeated, finished and parked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from advancia.core import context, outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from worker import tasks


@pytest.fixture
def as_job(monkeypatch):
    """Let the function be the one that runs the job `sweep` for this test."""

    def register(function):
        tasks.functions()
        monkeypatch.setitem(tasks._functions, Job.SWEEP.value, function)

    return register


@pytest.fixture
def row(app_context):
    """A new row of the outbox."""
    with unit_of_work() as session:
        outbox.put(session, Job.SWEEP, secret={"code": "123456"})
        return session.scalar(text("SELECT max(id) FROM outbox WHERE kind = 'sweep'"))


def state(outbox_id):
    found = db.session.execute(text("SELECT * FROM outbox WHERE id = :id"), {"id": outbox_id}).one()
    db.session.rollback()
    return found


def test_a_job_that_ends_is_done_and_not_run_again(as_job, row):
    runs = []
    as_job(lambda task: runs.append(task.secret))

    tasks.perform(row)
    tasks.perform(row)

    assert runs == [{"code": "123456"}]
    assert state(row).done_at is not None
    assert state(row).encrypted_secret is None


def test_a_job_that_fails_is_tried_again_later_each_time_and_parked_in_the_end(as_job, row):
    def fails(task):
        raise ValueError("no luck")

    as_job(fails)
    delays = []
    for _ in range(outbox.MAX_ATTEMPTS):
        tasks.perform(row)
        now = state(row)
        delays.append(now.available_at - now.created_at)
    tasks.perform(row)

    assert state(row).attempts == outbox.MAX_ATTEMPTS
    assert state(row).parked_at is not None
    assert state(row).last_error == "ValueError: no luck"
    assert delays[:-1] == sorted(delays[:-1])
    assert delays[-2] >= timedelta(seconds=120)


def test_an_outage_of_two_hours_parks_nothing():
    waits = [outbox.back_off(attempt) for attempt in range(1, outbox.MAX_ATTEMPTS)]

    assert sum(waits, timedelta()) > timedelta(hours=2)
    assert max(waits) <= timedelta(minutes=10)


def test_a_job_that_kills_its_worker_each_time_comes_later_and_later_and_is_parked(row):
    planned = []
    for _ in range(outbox.MAX_ATTEMPTS):
        with unit_of_work() as session:
            assert outbox.claim(session, row) is not None  # and here the worker dies
        now = state(row)
        planned.append(now.available_at - now.handed_at)
    with unit_of_work() as session:
        assert outbox.claim(session, row) is None

    assert planned == [outbox.back_off(attempt) for attempt in range(1, outbox.MAX_ATTEMPTS + 1)]
    assert state(row).parked_at is not None
    assert state(row).last_error == outbox.DIED
    assert state(row).attempts == outbox.MAX_ATTEMPTS


def test_a_row_that_was_parked_under_a_run_is_done_when_the_run_ends(row):
    with unit_of_work() as session:
        session.execute(text("UPDATE outbox SET parked_at = now() WHERE id = :id"), {"id": row})
    with unit_of_work() as session:
        assert outbox.mark_done(session, row)

    assert state(row).parked_at is None


def test_a_parked_row_can_be_sent_again(as_job, row):
    as_job(lambda task: None)
    with unit_of_work() as session:
        session.execute(text("UPDATE outbox SET parked_at = now(), attempts = 8 WHERE id = :id"), {"id": row})
    tasks.perform(row)
    assert state(row).done_at is None

    with unit_of_work() as session:
        assert outbox.send_again(session, row)
    tasks.perform(row)
    assert state(row).done_at is not None


def test_the_effect_and_the_mark_are_one_transaction(as_job, row):
    def half(task):
        with task.finish() as session:
            session.execute(text("UPDATE outbox SET last_error = 'effect' WHERE id = :id"), {"id": row})
            raise RuntimeError("before the commit")

    as_job(half)
    tasks.perform(row)

    assert state(row).last_error == "RuntimeError: before the commit"
    assert state(row).done_at is None


def test_a_run_that_was_overtaken_has_no_effect(as_job, row):
    def slow(task):
        with unit_of_work() as other:  # another run finishes first
            outbox.mark_done(other, row)
        with task.finish() as session:
            session.execute(text("UPDATE outbox SET last_error = 'twice' WHERE id = :id"), {"id": row})

    as_job(slow)
    tasks.perform(row)

    assert state(row).last_error is None
    assert state(row).attempts == 1


def test_a_try_is_counted_before_the_work_begins(as_job, row):
    seen = []
    as_job(lambda task: seen.append(state(row).attempts))
    tasks.perform(row)

    assert seen == [1]


def test_the_request_id_travels_from_the_page_into_the_job(as_job, app_context):
    seen = []
    as_job(lambda task: seen.append(context.request_id.get()))
    with context.bound_request_id("from-the-page"), unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
    tasks.perform(db.session.scalar(text("SELECT max(id) FROM outbox WHERE kind = 'sweep'")))

    assert seen == ["from-the-page"]


def test_the_request_id_travels_into_the_posting(app, customer, page_of, books):
    from tests.wallet.test_send import typed

    amara, bilal = customer("Amara Okafor", USD="5.00"), customer("Bilal Haddad")
    page = page_of(amara)
    page.get("/transfers/new")
    answer = page.post("/transfers", typed(bilal, amount="1"))

    reference = "transfer:" + answer.location.rsplit("/", 1)[1]
    with app.app_context():
        kept = db.session.scalar(
            text("SELECT request_id FROM ledger.txn WHERE reference = :r"), {"r": reference}
        )
    assert kept
    assert kept == answer.headers["X-Request-ID"]
