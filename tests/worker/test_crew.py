"""The worker's hands: what they take, in which order, and what one row may do to the others."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import text

from advancia.app import create_app
from advancia.config import ROOT, load_settings
from advancia.core import outbox, outbox_batches
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from worker import crew as module
from worker import queue as bell
from worker import tasks
from worker.crew import Crew, Run


@pytest.fixture
def as_job(monkeypatch):
    """Let the function be the one that runs the job `sweep` for this test."""

    def register(function):
        tasks.functions()
        monkeypatch.setitem(tasks._functions, Job.SWEEP.value, function)

    return register


@pytest.fixture(autouse=True)
def nothing_else_is_due(app_context):
    with unit_of_work() as session:
        session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))


@pytest.fixture
def crew(app):
    crew = Crew(app, hands=4)
    yield crew
    crew.finish()


def put(count=1):
    """New rows; give their ids."""
    before = db.session.scalar(text("SELECT coalesce(max(id), 0) FROM outbox"))
    db.session.rollback()
    with unit_of_work() as session:
        for number in range(count):
            outbox.put(session, Job.SWEEP, number=number)
    ids = db.session.scalars(
        text("SELECT id FROM outbox WHERE id > :before ORDER BY id"), {"before": before}
    ).all()
    db.session.rollback()
    return ids


def is_done(outbox_id):
    done = db.session.scalar(text("SELECT done_at IS NOT NULL FROM outbox WHERE id = :id"), {"id": outbox_id})
    db.session.rollback()
    return done


def lose(outbox_id):
    """Let a run begin and never end, half a minute ago."""
    with unit_of_work() as session:
        outbox.claim(session, outbox_id)
        session.execute(
            text(
                "UPDATE outbox SET handed_at = now() - interval '30 s', available_at = now() - interval '30 s'"
                " WHERE id = :id"
            ),
            {"id": outbox_id},
        )


def test_everything_that_is_due_is_run_once_and_rows_of_the_meantime_too(as_job, crew):
    seen = []

    def runs(task, number):
        seen.append(number)
        if number == 0:
            with unit_of_work() as session:
                outbox.put(session, Job.SWEEP, number=99)

    as_job(runs)
    rows = put(30)
    crew.work_off()

    assert sorted(seen) == [*range(30), 99]
    assert all(map(is_done, rows))


def test_two_workers_share_the_rows_and_none_is_run_twice(as_job, app, crew):
    seen = []
    as_job(lambda task, number: seen.append(number))
    put(60)
    other = Crew(app, hands=4)

    def works_too():
        with app.app_context():
            other.work_off()

    thread = threading.Thread(target=works_too)
    thread.start()
    crew.work_off()
    thread.join()
    other.finish()

    assert sorted(seen) == list(range(60))


def test_a_job_that_waits_holds_no_other_up(as_job, crew):
    others = []
    gate = threading.Event()

    def runs(task, number):
        if number == 0:
            assert gate.wait(20)
        else:
            others.append(number)
        if len(others) == 19:
            gate.set()

    as_job(runs)
    rows = put(20)
    crew.work_off()

    assert sorted(others) == list(range(1, 20))
    assert is_done(rows[0])


def test_a_job_that_fails_leaves_the_others_alone_and_comes_again_later(as_job, crew):
    def runs(task, number):
        if number == 3:
            raise ValueError("no luck")

    as_job(runs)
    rows = put(6)
    crew.work_off()

    assert [is_done(row) for row in rows] == [True, True, True, False, True, True]
    error = db.session.execute(
        text("SELECT attempts, last_error, handed_at FROM outbox WHERE id = :id"), {"id": rows[3]}
    )
    assert tuple(error.one()) == (1, "ValueError: no luck", None)


def test_letters_wait_for_the_rest_but_codes_and_money_do_not(crew, monkeypatch, as_job):
    order = []
    tasks.functions()
    monkeypatch.setitem(tasks._functions, Job.SEND_EMAIL.value, lambda task, name: order.append(name))
    as_job(lambda task, number: order.append("money"))
    with unit_of_work() as session:
        for _ in range(8):
            outbox.put(session, Job.SEND_EMAIL, name="letter")
        outbox.put(session, Job.SEND_EMAIL, secret={"code": "123456"}, name="code")
    put(7)
    crew.work_off()

    assert "letter" not in order[:4]
    assert order[-7:] == ["letter"] * 7  # one of them may have filled a hand beside the last of the money
    assert sorted(set(order)) == ["code", "letter", "money"]


def test_letters_get_a_turn_while_other_work_never_ends(crew, monkeypatch, as_job):
    order = []
    tasks.functions()
    monkeypatch.setitem(tasks._functions, Job.SEND_EMAIL.value, lambda task: order.append("letter"))
    as_job(lambda task, number: order.append("money"))
    with unit_of_work() as session:
        outbox.put(session, Job.SEND_EMAIL)
    put(100)
    crew.work_off()

    assert order.index("letter") < 60


@pytest.fixture
def as_batch(monkeypatch):
    """Let the first function do batches of the job `apply_webhook` for this test, and the other one each by itself."""

    def register(together, alone):
        tasks.functions()
        monkeypatch.setitem(tasks._batch_functions, Job.APPLY_WEBHOOK.value, together)
        monkeypatch.setitem(tasks._functions, Job.APPLY_WEBHOOK.value, alone)

    return register


def put_webhooks(count):
    with unit_of_work() as session:
        for number in range(count):
            outbox.put(session, Job.APPLY_WEBHOOK, number=number)


def done_by(claims):
    """What a job's function for batches does with rows that it can do."""
    ids = [claim.outbox_id for claim in claims]
    with unit_of_work() as session:
        assert outbox_batches.hold_open(session, ids) == set(ids)
        outbox_batches.mark_done(session, ids)
    return set(ids)


def numbers(claims):
    return sorted(claim.payload["number"] for claim in claims)


def test_what_is_worth_it_is_done_together_and_what_is_left_each_by_itself_as_its_first_try(as_batch, crew):
    together, alone = [], []

    def does_most(claims):
        together.append(numbers(claims))
        return done_by([claim for claim in claims if claim.payload["number"] not in (3, 8)])

    as_batch(does_most, lambda task, number: alone.append((number, task.claim.attempt)))
    put_webhooks(12)
    crew.work_off()

    assert together == [list(range(12))]
    assert sorted(alone) == [(3, 1), (8, 1)]


def test_a_batch_that_fails_is_run_each_by_itself(as_batch, crew):
    alone = []

    def fails(claims):
        done_by([claim for claim in claims if claim.payload["number"] < 2])  # in whatever order they come
        with unit_of_work() as session:
            outbox_batches.mark_done(session, [claim.outbox_id for claim in claims])
            raise ValueError("no luck")

    as_batch(fails, lambda task, number: alone.append(number))
    put_webhooks(6)
    crew.work_off()

    assert sorted(alone) == [2, 3, 4, 5]


def test_a_few_are_not_worth_a_batch(as_batch, crew):
    alone = []
    as_batch(lambda claims: pytest.fail("a batch"), lambda task, number: alone.append(number))
    put_webhooks(tasks.FEWEST_TOGETHER - 1)
    crew.work_off()

    assert sorted(alone) == list(range(tasks.FEWEST_TOGETHER - 1))


def test_no_batch_is_larger_than_a_hundred_and_only_one_is_run_at_a_time(as_batch, crew):
    sizes, at_once = [], set()

    def takes_its_time(claims):
        at_once.add(claims[0].outbox_id)
        sizes.append((len(claims), len(at_once)))
        done = done_by(claims)
        at_once.discard(claims[0].outbox_id)
        return done

    as_batch(takes_its_time, lambda task, number: pytest.fail("by itself"))
    put_webhooks(module.BATCH + 20)
    crew.work_off()

    assert sizes == [(module.BATCH, 1), (20, 1)]


def test_other_work_goes_on_beside_a_batch_and_letters_wait_for_its_end(as_batch, as_job, crew, monkeypatch):
    order = []
    begun, gate = threading.Event(), threading.Event()

    def waits(claims):
        begun.set()
        assert gate.wait(20)
        order.append("batch")
        return done_by(claims)

    def runs(task, number):
        order.append("money")
        gate.set()

    as_batch(waits, lambda task, number: pytest.fail("by itself"))
    as_job(runs)
    monkeypatch.setitem(tasks._functions, Job.SEND_EMAIL.value, lambda task: order.append("letter"))
    put_webhooks(5)
    put(1)
    with unit_of_work() as session:
        outbox.put(session, Job.SEND_EMAIL)
    crew.work_off()

    assert begun.is_set()
    assert order == ["money", "batch", "letter"]


def test_a_second_try_is_never_part_of_a_batch(as_batch, crew):
    alone = []

    def fails_once(task, number):
        alone.append(task.claim.attempt)
        if task.claim.attempt == 1:
            raise ValueError("no luck")

    as_batch(lambda claims: set(), fails_once)
    put_webhooks(4)
    crew.work_off()
    with unit_of_work() as session:
        session.execute(text("UPDATE outbox SET available_at = now() WHERE done_at IS NULL"))
    as_batch(lambda claims: pytest.fail("a batch"), fails_once)
    crew.work_off()

    assert alone == [1] * 4 + [2] * 4


def test_no_more_is_claimed_than_hands_can_begin(as_job, crew):
    gate, begun = threading.Event(), threading.Semaphore(0)

    def waits(task, number):
        begun.release()
        assert gate.wait(20)

    as_job(waits)
    put(10)
    crew.work_off(seconds=0.2)
    tried = db.session.scalar(text("SELECT count(*) FROM outbox WHERE attempts > 0 AND done_at IS NULL"))
    db.session.rollback()
    gate.set()
    crew.work_off()

    assert tried == 4


def test_a_row_that_may_have_killed_its_worker_is_run_alone(as_job, crew):
    at_once, most_beside_it = set(), []

    def runs(task, number):
        at_once.add(task.claim.outbox_id)
        if task.claim.attempt > 1:
            most_beside_it.append(len(at_once))
        time.sleep(0.005)
        at_once.discard(task.claim.outbox_id)

    as_job(runs)
    suspects = put(3)
    for row in suspects:
        lose(row)
    rows = put(20)
    crew.work_off()

    assert most_beside_it == [1, 1, 1]
    assert all(map(is_done, [*suspects, *rows]))


def test_a_lost_row_with_all_its_tries_used_is_parked_and_not_run(as_job, crew):
    seen = []
    as_job(lambda task, number: seen.append(number))
    [row] = put()
    lose(row)
    with unit_of_work() as session:
        session.execute(
            text("UPDATE outbox SET attempts = :n WHERE id = :id"), {"n": outbox.MAX_ATTEMPTS, "id": row}
        )
    crew.work_off()
    found = db.session.execute(
        text("SELECT parked_at, last_error FROM outbox WHERE id = :id"), {"id": row}
    ).one()

    assert seen == []
    assert found.parked_at is not None
    assert found.last_error == outbox.DIED


def test_rows_whose_time_has_not_come_and_runs_under_way_are_left_alone(as_job, crew):
    seen = []
    as_job(lambda task, number: seen.append(number))
    later, in_hand = put(2)
    with unit_of_work() as session:
        session.execute(
            text("UPDATE outbox SET available_at = now() + interval '1 h' WHERE id = :id"), {"id": later}
        )
        outbox.claim(session, in_hand)
        session.execute(text("UPDATE outbox SET available_at = now() WHERE id = :id"), {"id": in_hand})
    crew.work_off()

    assert seen == []


def test_the_full_proof_may_take_as_long_as_it_needs_and_other_jobs_may_not():
    def run(kind):
        claim = outbox.Claim(1, kind, {}, None, None, None, 1)
        return Run(claim, time.monotonic() - bell.JOB_TIMEOUT_SECONDS - 1)

    assert run(Job.SWEEP.value).is_overdue
    assert not run(Job.PROVE_LEDGER.value).is_overdue


def test_nobody_waits_for_a_job_that_may_take_long(as_job, crew, monkeypatch):
    gate, begun = threading.Event(), threading.Event()

    def proves(task):
        begun.set()
        assert gate.wait(20)

    tasks.functions()
    monkeypatch.setitem(tasks._functions, Job.PROVE_LEDGER.value, proves)
    as_job(lambda task, number: None)
    with unit_of_work() as session:
        outbox.put(session, Job.PROVE_LEDGER)
    crew.work_off()
    assert begun.wait(10)
    rows = put(3)
    lose(rows[0])
    crew.work_off()

    assert all(map(is_done, rows))
    gate.set()


HANGS = """
import os, threading, time
from advancia.app import create_app
from advancia.core.jobs import Job
from worker import crew, queue, tasks

tasks.functions()
tasks._functions[Job.SWEEP.value] = lambda task, number: threading.Event().wait()
queue.JOB_TIMEOUT_SECONDS = 1
with create_app().app_context():
    crew.work_off()
"""


def test_a_job_that_never_ends_ends_its_worker_and_is_parked_like_one_that_kills_it(environ):
    [row] = put()
    ran = subprocess.run(
        [sys.executable, "-c", HANGS],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    tried = db.session.execute(text("SELECT attempts, done_at FROM outbox WHERE id = :id"), {"id": row}).one()

    assert ran.returncode == 70, ran.stderr
    assert "job_too_long" in ran.stdout + ran.stderr
    assert tuple(tried) == (1, None)


def test_a_database_that_is_gone_is_waited_for(environ):
    nowhere = {**environ, "DATABASE_URL": "postgresql://advancia_app@127.0.0.1:9/advancia"}
    with create_app(load_settings(nowhere)).app_context():
        module.work_off()  # and raises nothing: the relay rings again
    module.finish()
