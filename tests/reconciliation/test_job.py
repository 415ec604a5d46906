"""The night's job: it takes up what was broken off, tries again after trouble, and in the end fails loudly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from advancia.core import alarms, outbox
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.core.recurring import TABLE
from advancia.reconciliation import queries, runs
from advancia.reconciliation.models import ReconciliationItem, ReconciliationRun
from tests.reconciliation.provider import Provider, reconcile
from worker import tasks
from worker.jobs.reconciliation import TRIES
from worker.queue import longest


@pytest.fixture(autouse=True)
def _within_the_app(app):
    app.extensions["gateway"] = app.extensions["crypto_gateway"] = None
    with app.app_context():
        yield
        db.session.rollback()


def put(job=Job.RECONCILE, **payload):
    with unit_of_work() as session:
        outbox.put(session, job, **payload)
    return db.session.scalar(select(func.max(OutboxRow.id)).where(OutboxRow.kind == job.value))


def perform(outbox_id):
    """One try, however long the last one has put it off."""
    with unit_of_work() as session:
        session.execute(update(OutboxRow).where(OutboxRow.id == outbox_id).values(available_at=func.now()))
    tasks.perform(outbox_id)
    return db.session.get_one(OutboxRow, outbox_id, populate_existing=True)


def latest():
    db.session.rollback()
    return queries.runs(db.session(), state=None, before=None, limit=1)[0]


def test_it_is_on_the_clock_and_has_all_the_time_it_needs():
    (line,) = (each for each in TABLE if each.job is Job.RECONCILE)

    assert line.when == "0 3 * * *"
    assert longest(Job.RECONCILE.value) > 3600


def test_the_night_s_run_is_done_and_says_what_came_of_it():
    row = perform(put())

    run = latest()
    assert (run.kind, run.state, run.asked_by) == ("nightly", "alarm", None)
    assert (row.done_at is not None, row.outcome) == (True, f"Run {run.id}: alarm.")


def test_a_run_that_was_killed_is_taken_up_by_the_next_night():
    with unit_of_work() as session:
        run_id = runs.begin(session, kind="nightly", window=runs.usual_window(session))
    perform(put())

    assert (latest().id, latest().state) == (run_id, "alarm")


def test_while_another_one_is_at_work_it_waits():
    with runs.only_one(db.engine):
        row = perform(put())
    assert (row.done_at, "at work already" in row.last_error) == (None, True)

    assert perform(row.id).done_at is not None


def test_trouble_is_tried_again_and_in_the_end_tells_that_it_failed(app):
    with app.house.scratch.owner() as owner:
        owner.execute("alter table transfer rename to transfer_away")
    try:
        outbox_id = put()
        for attempt in range(1, TRIES):
            row = perform(outbox_id)
            assert (row.done_at, latest().state) == (None, "running"), attempt
            db.session.rollback()
        row = perform(outbox_id)
    finally:
        db.session.rollback()
        with app.house.scratch.owner() as owner:
            owner.execute("alter table transfer_away rename to transfer")

    run = latest()
    assert (row.outcome, run.state) == (f"Run {run.id}: failed.", "failed")
    assert "transfer" in run.failure
    assert {each.what for each in alarms.open_alarms(db.session())} == {runs.FAILED}


def test_the_lines_that_were_compared_go_after_a_month_and_the_run_stays():
    run = reconcile(Provider())
    line = {
        "side": "ours", "provider": "sandbox", "ref": "pi_1", "what": "payment", "asset": "USD", "amount": 1,
        "happened_at": utcnow(), "run_id": run.id,
    }  # fmt: skip
    with unit_of_work() as session:
        session.add(ReconciliationItem(**line, item_id="one"))
    perform(put(Job.SWEEP))
    assert db.session.scalar(select(func.count()).select_from(ReconciliationItem)) == 1
    db.session.rollback()

    with unit_of_work() as session:
        session.execute(update(ReconciliationRun).values(begun_at=utcnow() - timedelta(days=31)))
    perform(put(Job.SWEEP))
    assert db.session.scalar(select(func.count()).select_from(ReconciliationItem)) == 0
    assert latest().id == run.id
