"""What the clock looks at each minute: runs that failed or never end, and whatever gave up."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core import alarms, outbox, runs
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.core.recurring import TABLE
from advancia.ops import lockdown
from worker import schedule, tasks

TESTED_AT_HOME = (Job.BACK_UP, Job.PROVE_BACKUP, Job.RECONCILE)  # with all that they need


@pytest.fixture
def own(scratch):
    """An app with a database of its own, in whose context the test runs."""
    app = create_app(load_settings(scratch.environ))
    with app.app_context():
        yield app
        db.session.rollback()
        db.engine.dispose()


def put(job=Job.SWEEP):
    """A turn of the job, as the clock puts it; its row's id."""
    with unit_of_work() as session:
        outbox.put_once(session, job, unique_key=f"{job.value}@{uuid4()}")
        return session.scalar(select(func.max(OutboxRow.id)))


def change(row, what):
    with unit_of_work() as session:
        session.execute(text(f"UPDATE outbox SET {what} WHERE id = :id"), {"id": row})


def change_all(what, those):
    with unit_of_work() as session:
        session.execute(text(f"UPDATE outbox SET {what} WHERE {those}"))


def look(later=timedelta()):
    """The alarms after a look, by what they are about."""
    schedule.look(utcnow() + later)
    return {(each.what, each.about): each.words for each in alarms.open_alarms(db.session())}


def test_nothing_is_wrong_with_a_new_installation(own):
    schedule.put_due_work(utcnow())

    assert look() == {}


def test_a_run_that_gave_up_sounds_an_alarm_until_a_later_one_ends_well(own):
    change(put(), "parked_at = now(), attempts = 24, last_error = 'OSError: the disk is full'")
    assert look()["clock.failed", "sweep"] == (
        "“Delete what has served its purpose” has failed 24 times and was given up. "
        "Its last trouble: OSError: the disk is full"
    )

    tasks.perform(put())
    assert ("clock.failed", "sweep") not in look()


def test_a_run_that_does_not_end_sounds_an_alarm_once_it_is_overdue(own):
    row = put()
    assert look() == {}
    assert look(timedelta(minutes=19)) == {}
    assert "has not ended. Is the worker running?" in look(timedelta(minutes=21))["clock.failed", "sweep"]

    change(row, "done_at = now()")
    assert look(timedelta(minutes=22)) == {}


def test_a_job_that_may_take_long_is_given_its_time(own):
    put(Job.PROVE_LEDGER)

    assert look(timedelta(hours=6)) == {}
    assert ("clock.failed", "prove_ledger") in look(timedelta(hours=7))


def test_what_waits_for_the_end_of_a_lockdown_is_no_trouble_and_is_given_its_time_after_it(own):
    lockdown.begin(reason="Looking into a payment")
    for job in (Job.EXPIRE_DEPOSITS, Job.SWEEP):
        change(put(job), "created_at = now() - interval '10 hours'")
    assert set(look()) == {("clock.failed", "sweep")}  # which goes on meanwhile

    lockdown.lift(reason="It was right")
    change_all("done_at = now()", "kind = 'sweep'")
    assert look() == {}
    assert look(timedelta(minutes=19)) == {}
    assert "has not ended" in look(timedelta(minutes=21))["clock.failed", "expire_deposits"]


def test_what_gave_up_before_a_lockdown_is_trouble_in_it_as_well(own):
    change(put(Job.EXPIRE_DEPOSITS), "parked_at = now(), attempts = 24")
    lockdown.begin(reason="Looking into a payment")

    assert ("clock.failed", "expire_deposits") in look()


def test_that_a_run_does_not_end_is_seen_though_newer_ones_wait_behind_it(own):
    row = put()
    change(row, "created_at = now() - interval '1 hour'")
    put()

    assert ("clock.failed", "sweep") in look()


def test_what_gave_up_is_one_alarm_until_nothing_is_left(own):
    with unit_of_work() as session:
        for _ in range(2):
            outbox.put(session, Job.SEND_EMAIL, template="x", facts={})
        session.execute(text("UPDATE outbox SET parked_at = now()"))
        session.execute(
            text(
                "INSERT INTO webhook_event (provider, event_id, kind, headers, body, state) "
                "VALUES ('sandbox', 'evt_1', 'x', '{}', '', 'parked')"
            )
        )
    assert look()["work.parked", ""].startswith(
        "2 pieces of background work and 1 event of a provider gave up"
    )

    with unit_of_work() as session:
        session.execute(text("UPDATE outbox SET done_at = now(), parked_at = NULL"))
    assert look()["work.parked", ""].startswith("1 event of a provider gave up")
    with unit_of_work() as session:
        session.execute(text("UPDATE webhook_event SET state = 'applied'"))
    assert look() == {}


def test_looking_again_makes_no_noise(own):
    change(put(), "parked_at = now(), attempts = 24")
    for _ in range(3):
        look()

    assert {each.times for each in alarms.open_alarms(db.session())} == {1}


def test_the_last_run_of_each_line_is_kept_however_old_and_the_rest_is_swept(own):
    rows = [put(Job.PROVE_LEDGER) for _ in range(3)]
    with unit_of_work() as session:
        outbox.put(session, Job.SEND_EMAIL, template="x", facts={})
        session.execute(text("UPDATE outbox SET done_at = now() - interval '40 days'"))
    tasks.perform(put())

    left = db.session.scalars(select(OutboxRow.id).order_by(OutboxRow.id)).all()
    assert left == [rows[-1], left[-1]]
    assert runs.runs_of(db.session(), Job.SWEEP).last.outcome.startswith("3 pieces of finished work deleted")


@pytest.mark.parametrize(
    "line", [line for line in TABLE if line.job not in TESTED_AT_HOME], ids=lambda line: line.job.value
)
def test_each_recurring_job_says_what_came_of_it(own, line):
    tasks.perform(put(line.job))
    done = runs.runs_of(db.session(), line.job).done

    assert done is not None
    assert done.outcome
    assert done.seconds >= 0


def test_a_run_that_is_asked_for_twice_by_one_form_is_one_run(own):
    form = uuid4()
    with unit_of_work() as session:
        assert runs.ask_for(session, Job.SWEEP, request_id=form)
    with unit_of_work() as session:
        assert not runs.ask_for(session, Job.SWEEP, request_id=form)


def test_no_run_is_asked_for_while_one_has_not_ended(own):
    row = put()
    with unit_of_work() as session, pytest.raises(runs.StillRunning):
        runs.ask_for(session, Job.SWEEP, request_id=uuid4())

    change(row, "parked_at = now()")
    with unit_of_work() as session:
        assert runs.ask_for(session, Job.SWEEP, request_id=uuid4())
