"""Health: what works, what does not, and whether money can still be used; told in time, whatever hangs."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core import alarms, heartbeats, outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.ops import lockdown
from advancia.ops import parts as product
from tests.support.pages import InProcess, Page

TOO_LONG = 2.0  # seconds


@pytest.fixture
def well(app):
    """All processes were just heard, and nothing is late."""
    with app.app_context():
        with unit_of_work() as session:
            session.execute(text("DELETE FROM heartbeat"))
            for process in heartbeats.PROCESSES:
                heartbeats.beat(session, process=process)
            session.execute(text("UPDATE outbox SET done_at = now() WHERE done_at IS NULL"))
            session.execute(text("UPDATE webhook_event SET state = 'ignored' WHERE state = 'received'"))
            session.execute(text("UPDATE alarm SET over_at = now() WHERE over_at IS NULL"))
        yield
        db.session.rollback()


def looked(page):
    """The answer, and what it says of each part."""
    answer = page.get("/api/health")
    body = answer_json(answer)
    return answer.status, body, body["parts"]


def answer_json(answer):
    import json

    return json.loads(answer.html)


def change(statement, **values):
    with unit_of_work() as session:
        session.execute(text(statement), values)


def test_all_parts_are_named_with_words_and_figures(well, page):
    status, body, parts = looked(page)

    assert status == 200
    assert body["down"] == []
    assert set(parts) >= {
        "database", "cache", "migrations", "worker", "relay", "clock", "outbox", "webhooks", "ledger", "seals",
    }  # fmt: skip
    assert parts["worker"]["ok"] is True
    assert parts["worker"]["words"] == "Working"
    assert 0 <= parts["worker"]["age_seconds"] < 30
    assert parts["outbox"]["lag_seconds"] == parts["webhooks"]["lag_seconds"] == 0
    assert parts["migrations"]["database"] == parts["migrations"]["code"]


@pytest.mark.parametrize("process", heartbeats.PROCESSES)
def test_a_process_that_is_not_heard_degrades_us(well, page, process):
    change(
        "UPDATE heartbeat SET seen_at = now() - interval '5 minutes' WHERE process = :process",
        process=process,
    )
    status, body, parts = looked(page)

    assert (status, parts[process]["words"]) == (200, "Silent for 5 minutes")
    assert parts[process]["age_seconds"] >= 300
    assert process in body["degraded"]

    change("DELETE FROM heartbeat WHERE process = :process", process=process)
    _, _, parts = looked(page)
    assert (parts[process]["words"], parts[process]["age_seconds"]) == ("Not running", None)


def test_one_of_two_workers_is_enough(well, page):
    change(
        "INSERT INTO heartbeat (process, instance, seen_at) "
        "VALUES ('worker', 'another:1', now() - interval '10 minutes')"
    )

    assert looked(page)[2]["worker"]["ok"]


def test_work_that_waits_degrades_us_and_what_is_parked_or_for_later_does_not(well, page):
    with unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
        row = session.scalar(text("SELECT max(id) FROM outbox"))
    change("UPDATE outbox SET available_at = now() - interval '4 minutes' WHERE id = :id", id=row)
    _, body, parts = looked(page)
    assert parts["outbox"]["words"] == "Late by 4 minutes"
    assert parts["outbox"]["lag_seconds"] >= 240
    assert "outbox" in body["degraded"]

    for ending in ("parked_at = now()", "parked_at = NULL, available_at = now() + interval '1 hour'"):
        change(f"UPDATE outbox SET {ending} WHERE id = :id", id=row)
        assert looked(page)[2]["outbox"]["ok"]
    change("UPDATE outbox SET done_at = now() WHERE id = :id", id=row)


def test_an_event_of_a_provider_that_waits_degrades_us(well, page):
    change(
        "INSERT INTO webhook_event (provider, event_id, kind, headers, body, received_at) "
        "VALUES ('sandbox', 'evt_late', 'x', '{}', '', now() - interval '10 minutes') "
        "ON CONFLICT DO NOTHING"
    )
    try:
        assert looked(page)[2]["webhooks"]["words"].startswith("Late by 1")
    finally:
        change("DELETE FROM webhook_event WHERE event_id = 'evt_late'")


@pytest.mark.parametrize(
    ("what", "part", "words"),
    [
        ("ledger.check", "ledger", "A check found differences"),
        ("ledger.proof", "ledger", "A check found differences"),
        ("ledger.seal", "seals", "Sealing has stopped"),
    ],
)
def test_books_that_disagree_degrade_us_also_when_the_alarm_is_silenced(well, page, what, part, words):
    with unit_of_work() as session:
        alarms.sound(session, what=what, words="Account 1 has another balance.")
        (alarm,) = alarms.open_alarms(session)
        alarms.silence(session, alarm_id=alarm.id, user_id=1, reason="We know.")

    assert looked(page)[2][part]["words"] == words
    change("UPDATE alarm SET over_at = now() WHERE over_at IS NULL")


def test_books_that_were_not_proven_lately_degrade_us(well, page, customer, monkeypatch):
    customer(USD="1.00")
    monkeypatch.setattr("advancia.ops.books.PROOF_IS_LATE", timedelta(seconds=-1))
    monkeypatch.setattr("advancia.ops.books.SEAL_IS_LATE", timedelta(seconds=-1))
    _, body, parts = looked(page)

    assert parts["ledger"]["words"].startswith("Not proven for")
    assert parts["seals"]["words"].startswith("Late by")
    assert {"ledger", "seals"} <= set(body["degraded"])


def note_proof(state, *, days=0):
    """A proof of a backup, that many days ago."""
    with unit_of_work() as session:
        backup_id = session.scalar(
            text(
                "INSERT INTO backup (name, why, state, target, finished_at, failure) "
                "VALUES (:name, 'daily', 'failed', 'x', now(), 'planted') RETURNING id"
            ),
            {"name": uuid4().hex},
        )
        session.execute(
            text(
                "INSERT INTO backup_proof (backup_id, state, begun_at, finished_at, reason, findings) VALUES "
                "(:id, :state, now(), now() - make_interval(days => :days), :reason, '[]')"
            ),
            {
                "id": backup_id,
                "state": state,
                "days": days,
                "reason": "planted" if state == "failed" else None,
            },
        )


def test_a_backup_counts_by_its_last_proof(scratch):
    app = create_app(load_settings(scratch.environ))
    page = Page(InProcess(app))

    def told(*proofs):
        with app.app_context():
            for state, days in proofs:
                note_proof(state, days=days)
            db.engine.dispose()
        return looked(page)[2]["backup"]

    assert told() == {"ok": False, "words": "No backup has been proven yet", "age_seconds": None}
    assert told(("passed", 9))["words"] == "No backup was proven for 9 days"
    recent = told(("passed", 2))
    assert recent["ok"]
    assert 2 * 86400 <= recent["age_seconds"] < 2 * 86400 + 60
    assert told(("failed", 0))["words"] == "The last proof of a backup failed"


def page_of(environ):
    return Page(InProcess(create_app(load_settings(environ))))


def test_missing_migrations_are_down_and_a_newer_database_is_the_middle_of_a_deployment(scratch):
    page = page_of(scratch.environ)
    for version, status, part in (("0012_secrets", 503, "down"), ("0999_future", 200, "degraded")):
        with scratch.owner() as owner:
            owner.execute("update alembic_version set version_num = %s", (version,))
        answered, body, _ = looked(page)
        assert (answered, "migrations" in body[part]) == (status, True)


def test_a_database_that_is_gone_is_down_and_everything_in_it_does_not_answer(environ):
    page = page_of({**environ, "DATABASE_URL": "postgresql://advancia_app@127.0.0.1:9/advancia"})
    status, body, parts = looked(page)

    assert (status, body["status"]) == (503, "down")
    assert body["down"] == ["database", "migrations"]
    assert {part["words"] for name, part in parts.items() if name != "cache"} == {"Not answering"}


def test_a_cache_that_is_gone_degrades_us_since_pages_and_money_go_on(environ, tmp_path):
    page = page_of({**environ, "REDIS_URL": f"unix://{tmp_path / 'nowhere.sock'}"})
    status, body, parts = looked(page)

    assert status == 200
    assert "cache" in body["degraded"]
    assert parts["cache"] == {"ok": False, "words": "Not answering"}


@pytest.fixture
def deaf(tmp_path):
    """A server that takes connections and never says a word: both of them, as they hang."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / ".s.PGSQL.5432"))
        server.listen(64)
        yield tmp_path


def test_servers_that_hang_are_told_in_time_also_the_second_time_and_by_many_at_once(environ, deaf):
    page = page_of(
        {
            **environ,
            "DATABASE_URL": f"postgresql://advancia_app@/advancia?host={deaf}",
            "REDIS_URL": f"unix://{deaf / '.s.PGSQL.5432'}",
        }
    )
    before = threading.active_count()
    for _ in range(2):
        began = time.monotonic()
        status, body, parts = looked(page)
        assert time.monotonic() - began < TOO_LONG
        assert (status, body["down"]) == (503, ["database", "migrations"])
        assert not parts["cache"]["ok"]
    assert threading.active_count() - before <= 2, "a look that hangs is not begun again"


def test_what_a_look_had_found_before_it_hung_is_not_told_as_news(app, well, page, settings):
    """The database takes the first questions and then stands still."""
    with psycopg.connect(settings.database_owner_url) as other:
        other.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        status, _, parts = looked(page)
        assert time.monotonic() - began < TOO_LONG

    assert status == 200
    assert parts["database"]["ok"]
    assert parts["outbox"]["words"] == "Not answering"
    assert parts["seals"]["ok"] is not None
    assert looked(page)[2]["outbox"]["ok"]


def test_the_page_for_people_names_three_parts_and_no_figures(well, page):
    shown = page.get("/status")

    assert [row.get_text(" ", strip=True) for row in shown.all("ul.lines li strong")] == [
        "Database", "Cache", "Background work",
    ]  # fmt: skip
    assert "Everything works" in shown.text

    change("UPDATE heartbeat SET seen_at = now() - interval '5 minutes' WHERE process = 'relay'")
    shown = page.get("/status")
    assert "What is in your wallet is safe" in shown.text
    assert "relay" not in shown.text.lower()


def test_the_page_for_people_says_of_a_pause_alone_that_it_is_one(well, page):
    lockdown.begin(reason="A rehearsal", is_total=False)
    try:
        shown = page.get("/status")
    finally:
        lockdown.lift(reason="A rehearsal")

    assert "Money is paused: nothing can be sent" in shown.text
    assert "not working" not in shown.text.lower()


def test_the_code_s_newest_migration_is_found_once():
    assert product.code_head() is product.code_head()
