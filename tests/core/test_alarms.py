"""Alarms: one for each trouble, mailed once, over when its condition has passed, quiet for a day when silenced."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from advancia.core import alarms
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow


@pytest.fixture
def what():
    """A trouble that no other test has."""
    return f"test.{uuid4().hex}"


def sound(what, words="It broke.", about=""):
    with unit_of_work() as session:
        return alarms.sound(session, what=what, about=about, words=words)


def follow(what, words):
    with unit_of_work() as session:
        alarms.follow(session, what=what, words=words)


def clear(what):
    with unit_of_work() as session:
        return alarms.clear(session, what=what)


def silence(what):
    (alarm,) = standing(what)
    with unit_of_work() as session:
        return alarms.silence(session, alarm_id=alarm.id, user_id=7, reason="We know.")


def standing(what):
    db.session.rollback()
    return [each for each in alarms.open_alarms(db.session()) if each.what == what]


def told_of(what):
    """How many mails were asked for."""
    db.session.rollback()
    ids = select(alarms.Alarm.id).where(alarms.Alarm.what == what)
    return db.session.scalar(
        select(func.count())
        .select_from(OutboxRow)
        .where(
            OutboxRow.kind == Job.TELL_OF_ALARM.value,
            OutboxRow.payload["alarm_id"].as_integer().in_(ids),
        )
    )


def let_a_day_pass(what):
    with unit_of_work() as session:
        session.execute(
            text("UPDATE alarm SET silenced_at = silenced_at - interval '25 hours' WHERE what = :what"),
            {"what": what},
        )


def test_the_same_trouble_is_one_alarm_that_is_mailed_once_and_counted(app_context, what):
    assert sound(what)
    assert not sound(what, "It is still broken.")

    (alarm,) = standing(what)
    assert (alarm.times, alarm.words) == (2, "It is still broken.")
    assert told_of(what) == 1


def test_the_same_trouble_about_another_thing_is_another_alarm(app_context, what):
    sound(what, about="one")
    sound(what, about="two")

    assert {each.about for each in standing(what)} == {"one", "two"}


def test_what_has_passed_and_comes_again_is_a_new_alarm(app_context, what):
    sound(what)
    assert clear(what)
    assert standing(what) == []
    assert not clear(what)

    assert sound(what)
    assert told_of(what) == 2


def test_a_silenced_alarm_is_quiet_while_its_trouble_lasts(app_context, what):
    sound(what)
    assert silence(what) == what
    assert not sound(what)

    assert standing(what) == []
    assert told_of(what) == 1


def test_after_a_day_of_silence_the_trouble_is_a_new_alarm(app_context, what):
    sound(what)
    silence(what)
    let_a_day_pass(what)

    assert sound(what)
    assert len(standing(what)) == 1
    assert told_of(what) == 2


def test_what_passed_while_it_was_silenced_sounds_anew(app_context, what):
    sound(what)
    silence(what)
    clear(what)

    assert sound(what)
    assert len(standing(what)) == 1


def test_nobody_silences_what_is_over_or_silent(app_context, what):
    sound(what)
    (alarm,) = standing(what)
    silence(what)

    with unit_of_work() as session:
        assert alarms.silence(session, alarm_id=alarm.id, user_id=8, reason="Me too.") is None


def test_what_is_looked_at_again_and_again_is_counted_when_it_changes(app_context, what):
    for words in ("Two wait.", "Two wait.", "Three wait.", "Three wait."):
        follow(what, words)
    (alarm,) = standing(what)
    assert (alarm.times, alarm.words) == (2, "Three wait.")

    follow(what, None)
    assert standing(what) == []


def test_what_is_followed_sounds_anew_after_a_day_of_silence(app_context, what):
    follow(what, "Two wait.")
    silence(what)
    follow(what, "Two wait.")
    assert standing(what) == []

    let_a_day_pass(what)
    follow(what, "Two wait.")
    assert len(standing(what)) == 1


def test_what_has_been_over_for_a_year_is_forgotten(app_context, what):
    sound(what)
    clear(what)
    with unit_of_work() as session:
        alarms.forget_the_old(session)
    assert db.session.scalar(select(func.count()).where(alarms.Alarm.what == what)) == 1

    with unit_of_work() as session:
        session.execute(
            text("UPDATE alarm SET over_at = over_at - interval '366 days' WHERE what = :what"),
            {"what": what},
        )
        alarms.forget_the_old(session)
    assert db.session.scalar(select(func.count()).where(alarms.Alarm.what == what)) == 0
