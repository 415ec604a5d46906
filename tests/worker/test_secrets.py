"""What only a job may see waits for it encrypted, and rows of older versions go on working."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.encryption import Keyring, key_id_of
from advancia.core.jobs import Job
from worker import tasks

SECRET = {"code": "123456", "note": "gr\u00fc\u00dfe"}


@pytest.fixture
def runs(monkeypatch):
    """The secrets that the job `apply_webhook` was given, whose place a function of ours takes."""
    seen = []
    tasks.functions()
    monkeypatch.setitem(tasks._functions, Job.APPLY_WEBHOOK.value, lambda task: seen.append(task.secret))
    return seen


@pytest.fixture
def row(app_context):
    with unit_of_work() as session:
        outbox.put(session, Job.APPLY_WEBHOOK, secret=SECRET)
        return session.scalar(text("SELECT max(id) FROM outbox WHERE kind = 'apply_webhook'"))


@pytest.fixture
def plain_row(app_context):
    """A row as the version before wrote it."""
    with unit_of_work() as session:
        return session.scalar(
            text(
                "INSERT INTO outbox (kind, payload, secret, available_at) "
                "VALUES ('apply_webhook', '{}', :secret, now()) RETURNING id"
            ),
            {"secret": json.dumps(SECRET)},
        )


def state(outbox_id):
    found = db.session.execute(
        text("SELECT concat(payload, secret) AS plain, * FROM outbox WHERE id = :id"), {"id": outbox_id}
    ).one()
    db.session.rollback()
    return found


def test_a_secret_is_stored_under_the_newest_key_and_given_to_the_job(app, runs, row):
    assert key_id_of(state(row).encrypted_secret) == app.extensions["keyring"].newest
    assert state(row).plain == "{}"
    assert b"123456" not in state(row).encrypted_secret

    tasks.perform(row)

    assert runs == [SECRET]
    assert state(row).encrypted_secret is None
    assert state(row).plain == "{}"


def test_a_secret_moved_to_another_row_is_not_given_to_its_job(runs, row):
    with unit_of_work() as session:
        outbox.put(session, Job.APPLY_WEBHOOK, secret={"code": "other"})
        session.execute(
            text(
                "UPDATE outbox SET encrypted_secret = (SELECT encrypted_secret FROM outbox WHERE id = :id) WHERE id = "
                "(SELECT max(id) FROM outbox WHERE kind = 'apply_webhook')"
            ),
            {"id": row},
        )
        other = session.scalar(text("SELECT max(id) FROM outbox WHERE kind = 'apply_webhook'"))

    tasks.perform(other)

    assert runs == []
    assert "Undecryptable: outbox.encrypted_secret of row" in state(other).last_error


def test_a_secret_that_nobody_can_read_fails_like_any_other_job_and_is_parked(app, runs, row, monkeypatch):
    monkeypatch.setitem(app.extensions, "keyring", Keyring([("later", b"\x07" * 32)]))
    for _ in range(outbox.MAX_ATTEMPTS):
        tasks.perform(row)

    assert runs == []
    assert state(row).parked_at is not None
    assert "which FIELD_KEYS does not hold" in state(row).last_error


def test_a_row_of_the_version_before_is_still_done(runs, plain_row):
    tasks.perform(plain_row)

    assert runs == [SECRET]
    assert state(plain_row).plain == "{}"
    assert state(plain_row).done_at is not None


def test_what_waits_in_plain_text_is_encrypted_by_the_sweep_and_still_done(runs, plain_row):
    with unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
        sweep = session.scalar(text("SELECT max(id) FROM outbox WHERE kind = 'sweep'"))
    tasks.perform(sweep)

    with unit_of_work() as session:
        assert outbox.encrypt_plain_secrets(session) == 0
    assert state(plain_row).plain == "{}"
    assert state(plain_row).done_at is None

    tasks.perform(plain_row)

    assert runs == [SECRET]


def test_a_claim_shows_no_secret(row):
    with unit_of_work() as session:
        claim = outbox.claim(session, row)

    assert "secret" not in repr(claim)
