"""Owners see their backups, ask for one, and watch it being made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update

from advancia.audit import records_of
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.outbox import OutboxRow
from advancia.ops.backups import running
from advancia.ops.backups.models import Backup, State, Why

NEW = "/admin/backups/new"
REASON = "Before the new version."


@pytest.fixture(autouse=True)
def nothing_under_way(app):
    """What another test has asked for stands in nobody's way."""
    with app.app_context(), unit_of_work() as session:
        session.execute(delete(Backup).where(Backup.state.in_((State.WAITING, State.RUNNING))))
        session.execute(delete(OutboxRow).where(OutboxRow.kind == "back_up"))


@pytest.fixture
def owner_page(staff_page):
    return staff_page("owner")


def newest(app):
    with app.app_context():
        return db.session.scalars(select(Backup).order_by(Backup.id.desc()).limit(1)).one()


def count(app):
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Backup))


def test_an_owner_asks_for_a_backup_and_the_worker_makes_it(app, owner_page, work):
    asked = owner_page.submit(NEW, reason=REASON)

    assert "Waiting for the worker" in owner_page.follow(asked).text
    work()
    done = owner_page.follow(asked)
    backup = newest(app)
    assert (backup.state, backup.why) == (State.DONE, Why.ASKED)
    assert "What it holds" in done.text
    assert backup.sha256 in done.text
    assert backup.name in owner_page.get("/admin/backups/").text


def test_the_trail_says_who_asked_and_why(app, owner_page):
    owner_page.submit(NEW, reason=REASON)

    with app.app_context():
        (line,) = records_of(db.session(), kind="backup", id=newest(app).id, limit=5)
    assert (line.action, line.reason) == ("backup.asked", REASON)


def test_without_a_reason_none_is_made_and_the_form_says_so(app, owner_page):
    before = count(app)

    refused = owner_page.submit(NEW, reason=" ")

    assert refused.status == 422
    assert "Say why" in refused.one("#reason-error").text
    assert count(app) == before


def test_a_second_click_leads_to_the_first_ones_backup(app, owner_page):
    first, second = owner_page.submit(NEW, reason=REASON), owner_page.submit(NEW, reason=REASON)

    assert first.location == second.location


def test_the_page_of_one_that_is_made_asks_by_itself_until_it_is_done(app, owner_page):
    asked = owner_page.submit(NEW, reason=REASON)
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(Backup)
            .where(Backup.state == State.WAITING)
            .values(state=State.RUNNING, written_bytes=3_400_000, expected_bytes=6_800_000)
        )

    page = owner_page.follow(asked)
    live = page.one("#backup-page")
    same = owner_page.get(asked.location, htmx_target="div#backup-page", headers={"HX-PTag": live["hx-ptag"]})

    assert live["hx-trigger"] == "every 2s"
    assert "3.4 MB are stored" in page.text
    assert page.one("progress")["value"] == "50"
    assert same.status == 304


def test_one_whose_process_is_gone_stands_in_nobodys_way(app, owner_page):
    with app.app_context():
        lost = running.begin(why=Why.DAILY, target="/nowhere", asked_by=None, backup_id=None)

    asked = owner_page.submit(NEW, reason=REASON)

    assert newest(app).id > lost.id
    assert asked.location.endswith(str(newest(app).id))
    assert running.BROKEN_OFF in owner_page.get(f"/admin/backups/{lost.id}").text


def test_where_nobody_could_open_one_the_page_says_what_to_set(app, owner_page, monkeypatch):
    settings = app.extensions["settings"]
    nobody = replace(settings, backups=replace(settings.backups, recipients=()))
    monkeypatch.setitem(app.extensions, "settings", nobody)
    before = count(app)

    page, refused = owner_page.get("/admin/backups/"), owner_page.submit(NEW, reason=REASON)

    assert "BACKUP_RECIPIENTS" in page.text
    assert page.all("a[href='/admin/backups/new']") == []
    assert refused.status == 422
    assert "flask backup keygen" in refused.text
    assert REASON in refused.one("#reason").text
    assert count(app) == before


@pytest.mark.parametrize("number", ["0", "999999999999", str(2**63)])
def test_a_backup_that_is_not_there_is_said_to_be_not_there(owner_page, number):
    assert owner_page.get(f"/admin/backups/{number}").status == 404


@pytest.fixture
def old_ones(app):
    """Fifteen backups of long ago, of which one is too many. What other tests made is out of the way meanwhile."""
    begun = utcnow() - timedelta(days=90)
    with app.app_context(), unit_of_work() as session:
        others = session.scalars(select(Backup.id).where(Backup.state == State.DONE)).all()
        failed = {"state": State.FAILED, "failure": "Out of the way.", "proof_identity": None}
        session.execute(update(Backup).where(Backup.id.in_(others)).values(failed))
        made = [
            Backup(
                name=running.new_name(begun + timedelta(hours=hour)),
                begun_at=begun + timedelta(hours=hour),
                finished_at=begun,
                state=State.DONE,
                why=Why.DAILY,
                target=app.extensions["settings"].backups.target,
                stored_bytes=6,
                sha256="00" * 32,
                manifest={"format": 1},
            )
            for hour in range(15)
        ]
        session.add_all(made)
        names = [each.name for each in made]
    yield names
    with app.app_context(), unit_of_work() as session:
        session.execute(delete(Backup).where(Backup.name.in_(names)))


def test_an_owner_sees_what_would_go_and_has_it_pruned(app, owner_page, work, old_ones):
    shown = owner_page.get("/admin/backups/pruning")
    assert old_ones[0] in shown.text
    assert old_ones[1] not in shown.text

    owner_page.submit("/admin/backups/pruning", reason=REASON)
    work()

    assert "Nothing is old enough" in owner_page.get("/admin/backups/pruning").text
    with app.app_context():
        states = dict(
            db.session.execute(select(Backup.name, Backup.state).where(Backup.name.in_(old_ones))).all()
        )
        asked = records_of(db.session(), kind="backup", id="all", limit=1)
    assert states.pop(old_ones[0]) == State.PRUNED
    assert set(states.values()) == {State.DONE}
    assert (asked[0].action, asked[0].reason) == ("backup.prune_asked", REASON)
    assert owner_page.get(f"/admin/backups/{newest(app).id}").status == 200  # though its manifest says little


def test_nothing_is_pruned_without_a_reason(owner_page, old_ones):
    refused = owner_page.submit("/admin/backups/pruning", reason="")

    assert refused.status == 422
    assert "Say why" in refused.one("#reason-error").text
