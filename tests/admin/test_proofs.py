"""Owners have a backup proven, watch what is found, and see why one is not."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select, update

from advancia.audit import records_of
from advancia.core.db import db, unit_of_work
from advancia.core.outbox import OutboxRow
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.models import Backup, BackupProof, Why
from advancia.ops.backups.proof import newest

REASON = "Before the new version."


@pytest.fixture
def owner_page(staff_page):
    return staff_page("owner")


@pytest.fixture
def backup(app, settings, servers):
    """A backup of this process's product, whose proof nobody has asked for."""
    with app.app_context():
        with unit_of_work() as session:
            session.execute(delete(BackupProof))
            session.execute(delete(OutboxRow).where(OutboxRow.kind == "prove_backup"))
        return create_backup(settings, app.extensions["keyring"], why=Why.ASKED)


def ask(page, backup):
    return page.submit(f"/admin/proofs/new/{backup.id}", reason=REASON)


def test_an_owner_asks_for_a_proof_and_sees_it_wait_for_the_worker(app, owner_page, backup):
    shown = owner_page.get(f"/admin/backups/{backup.id}")
    assert shown.one("section[aria-labelledby=proofs] a").text == "Prove now"
    proof = owner_page.follow(ask(owner_page, backup))

    assert "Waiting for the worker" in proof.text
    assert len(proof.all("tbody tr")) == 14
    assert proof.one("#proof-page")["hx-get"].startswith("/admin/proofs/")
    with app.app_context():
        (line,) = records_of(db.session(), kind="backup", id=backup.id, limit=5)
        assert (line.action, line.reason) == ("backup.proof_asked", REASON)


def test_a_second_click_finds_the_proof_of_the_first(app, owner_page, backup):
    first, second = ask(owner_page, backup), ask(owner_page, backup)

    assert first.location == second.location
    assert "This is it." in owner_page.follow(second).text
    with app.app_context():
        assert len(db.session.scalars(select(BackupProof)).all()) == 1


def test_what_is_found_stands_on_the_page_and_the_page_stops_asking(app, owner_page, backup, work):
    asked = ask(owner_page, backup)
    with app.app_context(), unit_of_work() as session:
        session.execute(update(Backup).where(Backup.id == backup.id).values(sha256="0" * 64))
    work()
    page = owner_page.follow(asked)

    assert "The manifest is of another backup" in page.one("#proof-page .note.error").text
    rows = [" ".join(row.get_text(" ").split()) for row in page.all("tbody tr")]
    assert rows[0].startswith("Both parts are there Right")
    assert rows[1].startswith("The manifest is ours Wrong")
    assert rows[2] == "The checksum agrees Not tried"
    assert not page.one("#proof-page").has_attr("hx-get")
    assert "Failed" in owner_page.get(f"/admin/backups/{backup.id}").text


def test_a_poll_that_finds_nothing_new_is_told_so(owner_page, backup):
    asked = ask(owner_page, backup)
    tag = owner_page.follow(asked).headers["HX-PTag"]

    answer = owner_page.get(asked.location, htmx_target="div#proof-page", headers={"HX-PTag": tag})
    assert answer.status == 304


def test_without_a_reason_nothing_is_asked(app, owner_page, backup):
    answer = owner_page.submit(f"/admin/proofs/new/{backup.id}", reason=" ")

    assert (answer.status, "Say why" in answer.text) == (422, True)
    with app.app_context():
        assert newest(db.session()) is None


def test_an_older_backup_is_for_the_owners_key_alone(app, owner_page, backup, settings):
    with app.app_context():
        create_backup(settings, app.extensions["keyring"], why=Why.ASKED)
    answer = ask(owner_page, backup)

    assert answer.status == 422
    assert f"flask --app wsgi backup prove {backup.name} --identity-file" in answer.text
