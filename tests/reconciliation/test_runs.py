"""A run compares, tells, alarms and mails; it goes on where it was killed, and carries on what is still open."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from advancia.core import alarms
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.outbox import OutboxRow
from advancia.reconciliation import cli, deciding, queries, runner, runs
from advancia.reconciliation.errors import (
    AlreadyClosed,
    AlreadyRunning,
    AlreadySignedOff,
    NotStaff,
    OwnResolution,
    OwnRun,
    ReasonNeeded,
    SignedOffByYou,
)
from advancia.reconciliation.found import Kind
from advancia.reconciliation.shown import Wanted
from tests.reconciliation.provider import Provider, a_difference, reconcile


@pytest.fixture(autouse=True)
def _within_the_app(app):
    with app.app_context():
        yield
        db.session.rollback()


def open_ones():
    return queries.differences(db.session(), Wanted(state="unresolved"), limit=100)


def sounding():
    return {each.what for each in alarms.open_alarms(db.session())}


def wait_until_somebody_waits(scratch, seconds=10):
    waiting = (
        "select count(*) from pg_locks join pg_stat_activity using (pid)"
        " where not granted and datname = current_database()"
    )
    until = time.monotonic() + seconds
    with scratch.owner() as owner:
        while owner.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < until, "nobody waits for a lock"
            owner.rollback()


def decide(action, actor, **words):
    with unit_of_work() as session:
        return action(session, actor=actor, **words)


def test_books_that_agree_match_and_nothing_sounds(app):
    run = reconcile(Provider())

    assert (run.state, run.open, sounding()) == ("matched", 0, set())
    assert run.verdict_words == "The reconciliation matches: everything agrees."
    assert {each.side for each in run.checks} == {"inside", "outside"}
    assert run.snapshot_at is not None
    assert run.finished_at is not None


def test_a_difference_sounds_and_is_mailed_to_all_who_may_reconcile_and_falls_silent_when_it_is_gone(app):
    run = reconcile(Provider(a_difference()))
    db.session.rollback()

    assert (run.state, run.open) == ("differs", 1)
    assert sounding() == {"reconciliation.differs"}
    mails = db.session.scalars(
        select(OutboxRow).where(OutboxRow.payload["template"].astext == "reconciliation")
    ).all()
    assert {mail.payload["user_id"] for mail in mails} == {each.user_id for each in app.staff}

    after = reconcile(Provider())
    assert (after.state, after.passed, sounding(), open_ones()) == ("matched", 1, set(), [])


def test_the_alarm_ends_with_the_last_difference_that_is_resolved_and_no_resolution_sounds_it(app):
    reconcile(Provider(a_difference("one"), a_difference("two")))
    first, second = open_ones()
    decide(deciding.explain, app.staff[0], difference_id=first.id, reason="Known.")
    (alarm,) = alarms.open_alarms(db.session())
    assert (alarm.what, alarm.times) == ("reconciliation.differs", 1)
    db.session.rollback()

    decide(deciding.explain, app.staff[0], difference_id=second.id, reason="Known.")
    assert sounding() == set()


def test_what_was_open_is_carried_on_with_its_assignment_and_told_anew(app):
    finance = app.staff[0]
    reconcile(Provider(a_difference()))
    (first,) = open_ones()
    decide(deciding.assign, finance, difference_id=first.id, user_id=finance.user_id)

    second = reconcile(Provider(a_difference(their_amount=1300)))
    (carried,) = open_ones()
    assert (carried.id, carried.state, carried.assigned_to) == (first.id, "assigned", finance.user_id)
    assert carried.their_amount == 1300
    assert second.summary["new"] == 0
    assert list(queries.runs_that_saw(db.session(), first.id, limit=9)) == [second.id, second.id - 1]


def test_what_was_resolved_stays_so_until_its_amounts_are_others(app):
    reconcile(Provider(a_difference()))
    (first,) = open_ones()
    decide(deciding.explain, app.staff[0], difference_id=first.id, reason="It is a test payment.")

    again = reconcile(Provider(a_difference()))
    assert (again.state, again.resolved, open_ones()) == ("matched", 1, [])
    changed = reconcile(Provider(a_difference(their_amount=1201)))
    assert changed.state == "differs"
    assert [each.id for each in open_ones()] != [first.id]


def test_what_is_in_flight_is_told_and_does_not_differ_until_it_is_missing(app):
    day_old = utcnow() - timedelta(hours=25)
    in_flight = reconcile(Provider(a_difference(kind=Kind.TIMING, happened_at=day_old)))
    assert (in_flight.state, in_flight.timing, sounding()) == ("matched", 1, set())
    assert in_flight.verdict_words == (
        "The reconciliation matches: what was compared agrees. 1 movement is in flight, for more than a day."
    )
    assert cli._words(in_flight).endswith(in_flight.verdict_words)

    missing = reconcile(Provider(a_difference()))
    assert (missing.state, missing.open) == ("differs", 1)


def test_a_provider_that_does_not_answer_is_an_alarm_and_closes_nothing(app):
    reconcile(Provider(a_difference()))
    run = reconcile(Provider(trouble="The sandbox could not be reached."))

    assert (run.state, run.alarms) == ("alarm", ["The sandbox could not be reached."])
    assert sounding() == {"reconciliation.alarm", "reconciliation.differs"}
    assert (len(open_ones()), run.open) == (1, 1)
    assert reconcile(Provider()).state == "matched"
    assert sounding() == set()


def test_an_empty_side_is_an_alarm(app):
    run = reconcile(Provider(alarm="The sandbox tells of no payment at all, and our books have 12."))

    assert run.state == "alarm"
    assert "no payment at all" in run.alarms[0]


def test_no_provider_at_all_is_an_alarm_and_never_a_pass(app):
    assert reconcile().state == "alarm"
    assert runs.NO_PROVIDER in queries.latest(db.session()).alarms


def test_what_lies_outside_of_the_window_is_not_taken_for_gone(app):
    old = a_difference(happened_at=utcnow() - timedelta(days=20))
    reconcile(Provider(old))
    assert runs.usual_window(db.session()).begins < old.happened_at
    db.session.rollback()

    week = runs.Window(utcnow() - timedelta(days=7), utcnow())
    run = reconcile(Provider(), window=week)
    assert (run.state, run.open, len(open_ones())) == ("differs", 1, 1)


def test_a_run_of_one_provider_leaves_the_others_as_they_are(app):
    reconcile(Provider(a_difference(provider="stripe")), Provider())
    run = reconcile(Provider(), provider="sandbox")

    assert (run.state, len(open_ones())) == ("matched", 1)


def test_a_killed_run_goes_on_where_it_was(app):
    class Killed(BaseException):
        pass

    class Dying(Provider):
        def differences(self, session, run_id):
            raise Killed

    with pytest.raises(Killed):
        reconcile(Dying())
    db.session.rollback()
    with unit_of_work() as session:
        run_id = runs.take_up(session)
    told = queries.run(db.session(), run_id)
    assert {part.name: part.is_over for part in told.parts} == {"inside": True, "outside.sandbox": False}
    first_look = told.snapshot_at
    db.session.rollback()

    assert runner.go_on(db.engine, run_id, seal_keys=None, outsides=[Provider(a_difference())]) == "differs"
    assert queries.run(db.session(), run_id).snapshot_at == first_look
    assert len(open_ones()) == 1


def test_a_run_that_was_broken_off_too_long_ago_fails_loudly_and_a_new_one_begins(app):
    with unit_of_work() as session:
        run_id = runs.begin(session, kind="nightly", window=runs.usual_window(session))
        session.execute(text("update reconciliation_run set begun_at = now() - interval '21 hours'"))
    with unit_of_work() as session:
        assert runs.take_up(session) is None

    assert queries.run(db.session(), run_id).state == "failed"
    assert sounding() == {"reconciliation.failed"}
    db.session.rollback()
    assert reconcile(Provider()).state == "matched"
    assert sounding() == set()


def test_of_two_at_once_the_second_says_so(app):
    with runs.only_one(db.engine), pytest.raises(AlreadyRunning, match="at work already"):
        reconcile(Provider())


def test_nobody_signs_off_what_they_asked_for_or_resolved_in_and_the_database_holds_it(app):
    finance, admin, owner = app.staff
    run = reconcile(
        Provider(a_difference("one"), a_difference("two")), kind="asked", asked_by=finance.user_id
    )
    first, second = open_ones()
    decide(deciding.explain, admin, difference_id=first.id, reason="Known.")

    with pytest.raises(OwnRun):
        decide(deciding.sign_off, finance, run_id=run.id, note="Fine")
    with pytest.raises(OwnResolution):
        decide(deciding.sign_off, admin, run_id=run.id, note="Fine")
    with pytest.raises(ReasonNeeded):
        decide(deciding.sign_off, owner, run_id=run.id, note=None)
    for signer, note, rule in (
        (finance, "'x'", "signed_off_by_another"),
        (admin, "'x'", "signed_off_by_resolver"),
        (owner, "null", "signed_off_with_reason"),
    ):
        with (
            pytest.raises(Exception, match=f"{rule}|does not sign off|with a reason only"),
            unit_of_work() as session,
        ):
            signed = f"signed_off_by = {signer.user_id}, signed_off_at = now(), note = {note}"
            session.execute(text(f"update reconciliation_run set {signed}"))

    decide(deciding.sign_off, owner, run_id=run.id, note="The second one is looked into: case 12.")
    signed = queries.run(db.session(), run.id)
    assert (signed.signed_off_by, signed.note) == (owner.user_id, "The second one is looked into: case 12.")
    db.session.rollback()
    with pytest.raises(AlreadySignedOff):
        decide(deciding.sign_off, owner, run_id=run.id, note="Again")
    with pytest.raises(SignedOffByYou):
        decide(deciding.explain, owner, difference_id=second.id, reason="Mine")
    with pytest.raises(Exception, match="does not resolve"), unit_of_work() as session:
        session.execute(
            text(
                "update reconciliation_difference set state = 'resolved', reason = 'x', closed_at = now(),"
                f" resolved_by = {owner.user_id} where id = {second.id}"
            )
        )


def test_who_resolves_and_signs_off_at_the_same_moment_does_only_one_of_them(app):
    admin = app.staff[1]
    run = reconcile(Provider(a_difference()))
    (one,) = open_ones()
    db.session.rollback()
    scratch = app.house.scratch
    with scratch.session() as resolving, scratch.session() as signing, ThreadPoolExecutor(1) as thread:
        resolving.execute(
            text(
                "update reconciliation_difference set state = 'resolved', reason = 'x', closed_at = now(),"
                f" resolved_by = {admin.user_id} where id = {one.id}"
            )
        )
        signed = thread.submit(
            lambda: signing.execute(
                text(
                    f"update reconciliation_run set signed_off_by = {admin.user_id}, signed_off_at = now(), note = 'x'"
                    f" where id = {run.id}"
                )
            )
        )
        wait_until_somebody_waits(scratch)
        resolving.commit()
        with pytest.raises(DBAPIError, match="does not sign off"):
            signed.result()


def test_a_difference_is_given_only_to_staff_who_may_reconcile_and_only_while_it_is_open(app):
    finance = app.staff[0]
    reconcile(Provider(a_difference()))
    (one,) = open_ones()
    with pytest.raises(NotStaff):
        decide(deciding.assign, finance, difference_id=one.id, user_id=app.house.person())
    decide(deciding.explain, finance, difference_id=one.id, reason="Known.")
    with pytest.raises(AlreadyClosed):
        decide(deciding.assign, finance, difference_id=one.id, user_id=finance.user_id)
    with pytest.raises(AlreadyClosed):
        decide(deciding.explain, finance, difference_id=one.id, reason="Known.")


def test_the_command_tells_by_its_exit_code_and_in_json(app):
    invoke = app.test_cli_runner().invoke
    nothing = invoke(args=["reconcile", "--json"])
    told = json.loads(nothing.output)

    assert nothing.exit_code == {"matched": 0, "differs": 1, "alarm": 2}[told["verdict"]]
    assert {each["check"] for each in told["checks"]} >= {"ledger", "deposits", "suspense"}
    assert invoke(args=["reconcile", "--window", "yesterday"]).exit_code == 2
    assert "is no window" in invoke(args=["reconcile", "--window", "2026-02-02..2026-02-01"]).output
    assert "no provider 'unknown'" in invoke(args=["reconcile", "--provider", "unknown"]).output
    with runs.only_one(db.engine):
        busy = invoke(args=["reconcile"])
    assert (busy.exit_code, "at work already" in busy.output) == (2, True)
