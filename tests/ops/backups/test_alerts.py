"""A backup that failed, was missed or has an odd size is heard of, until that has passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from advancia.core import alarms, outbox
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.identity.models import User
from advancia.ops.backups import alerts, manifest, running
from advancia.ops.backups.models import Backup, State, Why
from tests.support.backups import back_up, open_alarms
from tests.support.people import new_customer
from worker import tasks


def done(product, *, hours_ago: float = 0):
    made = back_up(product)
    with unit_of_work() as session:
        begun = utcnow() - timedelta(hours=hours_ago)
        session.execute(update(Backup).where(Backup.id == made.id).values(begun_at=begun))
    return made


def look(product, now=None):
    with unit_of_work() as session:
        return alerts.watch_time(session, now)


def run(job: Job, **payload: object) -> str | None:
    """Run a job as the worker does; give what it had to say."""
    with unit_of_work() as session:
        outbox.put(session, job, **payload)
        row = session.scalars(select(OutboxRow.id).order_by(OutboxRow.id.desc()).limit(1)).one()
    tasks.perform(row)
    return db.session.get(OutboxRow, row).outcome


@pytest.mark.parametrize(("hours", "is_missing"), [(25.9, False), (26.1, True)])
def test_a_day_without_a_backup_is_heard_of_after_26_hours(product, hours, is_missing):
    done(product, hours_ago=hours)

    assert look(product) is is_missing
    assert ("backup.missed" in open_alarms()) is is_missing


def test_the_next_backup_ends_the_alarm(product):
    done(product, hours_ago=48)
    look(product)

    done(product)

    assert open_alarms() == set()


def test_a_new_product_is_given_its_first_night(product):
    assert look(product) is False
    new_customer(product, "Amara Okafor")
    assert look(product) is False
    begun = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    with unit_of_work() as session:
        session.execute(update(User).values(created_at=begun))

    assert look(product, datetime(2026, 11, 24, 3, 30, tzinfo=UTC)) is False
    assert open_alarms() == set()
    assert look(product, datetime(2026, 11, 24, 3, 31, tzinfo=UTC)) is True
    (alarm,) = [each for each in alarms.open_alarms(db.session()) if each.what == "backup.missed"]
    assert alarm.words.startswith("There has never been a complete backup.")


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("before", "now", "is_heard"),
    [
        (100 * MIB, 125 * MIB, False),
        (100 * MIB, 126 * MIB, True),
        (100 * MIB, 75 * MIB, False),
        (100 * MIB, 74 * MIB, True),
        (MIB, 2 * MIB - 1, False),
        (MIB, 2 * MIB, True),
        (2 * MIB, MIB + 1, False),
        (2 * MIB, MIB, True),
    ],
)
def test_a_change_of_more_than_a_quarter_and_a_mebibyte_is_heard_of(product, before, now, is_heard):
    made = done(product)
    told = replace(manifest.read_dict(made.manifest), stored_bytes=now)
    made.stored_bytes = before

    with unit_of_work() as session:
        alerts.watch_size(session, told, before=made)

    assert ("backup.size" in open_alarms()) is is_heard


def test_a_size_that_is_usual_again_ends_the_alarm(product):
    made = done(product)
    with unit_of_work() as session:
        session.execute(
            update(Backup).where(Backup.id == made.id).values(stored_bytes=made.stored_bytes * 2 + MIB)
        )
    done(product)
    assert open_alarms() == {"backup.size"}

    done(product)

    assert open_alarms() == set()


def test_the_clocks_job_makes_the_days_backup_and_says_so(product):
    outcome = run(Job.BACK_UP)

    made = db.session.scalars(select(Backup)).one()
    assert (made.state, made.why) == (State.DONE, Why.DAILY)
    assert outcome == f"{made.name}: {made.stored_bytes:,} bytes."


def test_the_first_backup_is_proven_without_waiting_for_the_weeks_turn(product):
    run(Job.BACK_UP)
    run(Job.BACK_UP)

    first = db.session.scalars(select(Backup.name).order_by(Backup.id)).first()
    proofs = select(OutboxRow.payload).where(OutboxRow.kind == Job.PROVE_BACKUP.value)
    assert db.session.scalars(proofs).all() == [{"name": first}]


def test_before_the_first_backup_there_is_nothing_to_prove_yet(product):
    assert run(Job.PROVE_BACKUP).startswith("Nothing to prove yet: there is no backup.")
    assert db.session.scalars(select(OutboxRow.last_error)).all() == [None]
    assert open_alarms() == set()


def test_a_days_backup_that_cannot_be_begun_is_heard_of_and_not_tried_again(product, monkeypatch):
    settings = product.extensions["settings"]
    nobody = replace(settings, backups=replace(settings.backups, recipients=()))
    monkeypatch.setitem(product.extensions, "settings", nobody)

    assert "BACKUP_RECIPIENTS" in (run(Job.BACK_UP) or "")
    assert open_alarms() == {"backup.failed"}


def test_one_that_was_left_running_is_closed_within_the_hour(product):
    lost = running.begin(why=Why.DAILY, target="/nowhere", asked_by=None, backup_id=None)

    run(Job.WATCH_BACKUPS)

    db.session.rollback()
    assert db.session.get(Backup, lost.id).failure == running.BROKEN_OFF
    assert open_alarms() == {"backup.failed"}


def test_the_clocks_job_prunes_and_says_so(product):
    assert run(Job.PRUNE_BACKUPS) == "0 pruned, 0 kept."


def test_of_one_that_was_asked_for_and_whose_worker_died_the_page_tells_and_the_job_ends(product):
    with unit_of_work() as session:
        row = Backup(name="2026-11-24T013000Z-1a2b3c", why=Why.ASKED, state=State.WAITING, target="/")
        session.add(row)
        session.flush()
        asked = row.id
    running.begin(why=Why.ASKED, target="/", asked_by=None, backup_id=asked)

    outcome = run(Job.BACK_UP, backup_id=asked)

    db.session.rollback()
    assert db.session.get(Backup, asked).failure == running.BROKEN_OFF
    assert outcome.startswith("No backup was made.")
    assert db.session.scalar(select(func.count()).select_from(Backup)) == 1


def test_a_nights_backup_whose_worker_died_is_made_after_all(product):
    lost = running.begin(why=Why.DAILY, target="/", asked_by=None, backup_id=None)

    run(Job.BACK_UP)

    states = dict(db.session.execute(select(Backup.id, Backup.state)).all())
    assert states.pop(lost.id) == State.FAILED
    assert list(states.values()) == [State.DONE]
