"""A backup is restored into a running product, wholly or not at all; money moves once the books have proven."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import func, select

from advancia import audit
from advancia.app import create_app
from advancia.config import ROOT, load_settings
from advancia.core import alarms, outbox
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.ledger import check, seals
from advancia.ops import lockdown
from advancia.ops.backups import letters
from advancia.ops.backups import replacing as replacing_by
from advancia.ops.backups.models import Backup, BackupProof, ProofState, State, Why
from tests.ops.backups.test_proof import signed_anew
from tests.support.backups import Saved, save
from tests.support.books import Books
from tests.support.cut import CutLine
from tests.support.factors import code, enrol_totp
from tests.support.pages import InProcess, Page, adopt_session, sign_in
from tests.support.people import new_customer, new_staff
from tests.support.servers import eventually
from tests.support.work import work_off
from worker import schedule


class Shop(Saved):
    """A product whose customers have been at it, with a backup that is proven."""

    def __init__(self, scratch) -> None:
        settings = load_settings(scratch.environ)
        super().__init__(create_app(settings), settings, "", scratch)
        self.amara = new_customer(self.app, "Amara Okafor", USD="100.00")
        self.bilal = new_customer(self.app, "Bilal Haddad")
        self.factor = enrol_totp(self.app, self.bilal)
        self.seal()
        self.page = sign_in(Page(InProcess(self.app)), self.amara)
        self.staff = adopt_session(Page(InProcess(self.app)), self.app, new_staff(self.app, "owner"))
        self.name = save(self)
        self.send("30.00")

    def believe(self) -> None:
        """Take the backup for proven."""
        with self.app.app_context(), unit_of_work() as session:
            backup_id = session.scalars(select(Backup.id).where(Backup.name == self.name)).one()
            session.add(BackupProof(backup_id=backup_id, state=ProofState.PASSED, finished_at=utcnow()))

    def seal(self) -> int:
        with self.app.app_context():
            return len(list(seals.seal(db.session(), self.settings.seal_keys)))

    def send(self, amount: str) -> None:
        """Amara sends that much to Bilal, through the pages."""
        review = self.page.submit(
            "/transfers/new", recipient=self.bilal.email, amount=amount, asset="USD", note=""
        )
        receipt = self.page.submit_form(self.page.follow(review))
        assert receipt.location.startswith("/transfers/"), receipt.text

    def balances(self) -> list[str]:
        books = Books(self.app)
        return [str(books.available(each)) for each in (self.amara, self.bilal)]

    def restore(self, name: str, *arguments: str, **more):
        return self.app.test_cli_runner().invoke(args=["backup", "restore", name, *arguments], **more)

    @property
    def yes(self) -> tuple[str, str]:
        return "--yes-replace", self.scratch.name

    def state(self):
        with self.app.app_context():
            return lockdown.state(db.session())

    def safety_backups(self) -> list[str]:
        with self.app.app_context():
            made = select(Backup.name).where(Backup.why == Why.SAFETY, Backup.state == State.DONE)
            return list(db.session.scalars(made.order_by(Backup.id)))

    def close(self) -> None:
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def unproven(scratch):
    shop = Shop(scratch)
    yield shop
    shop.close()


@pytest.fixture
def shop(unproven):
    """One whose backup was proven a moment ago."""
    unproven.believe()
    return unproven


def test_without_the_typed_name_nothing_happens(shop):
    for told in (
        shop.restore(shop.name, input="yes\n"),
        shop.restore(shop.name, "--yes-replace", "advancia-of-yesterday"),
    ):
        assert told.exit_code == 2
        assert "That is not the name of the database. Nothing was changed." in told.output
    assert shop.restore(shop.name, input="").exit_code == 1  # nobody is there to type it
    assert shop.balances() == ["70.00 USD", "30.00 USD"]
    assert shop.safety_backups() == []
    assert shop.state().lockdown is None


def test_a_restore_brings_the_books_back_and_everything_goes_on(shop):
    told = shop.restore(shop.name, input=f"{shop.scratch.name}\n")

    assert told.exit_code == 0, told.output
    assert "Money moves again." in told.output
    assert shop.balances() == ["100.00 USD", "0.00 USD"]
    with shop.app.app_context():
        report = check.run(db.session(), keys=shop.settings.seal_keys)
        assert (report.is_right, report.seals) == (True, 1)
    assert not shop.state().is_frozen
    # A session, and a second factor, from before go on.
    assert "Amara Okafor" in shop.page.get("/wallet").text
    assert shop.staff.get("/admin/").status == 200
    answer = Page(InProcess(shop.app)).submit("/login", email=shop.bilal.email, password=shop.bilal.password)
    assert answer.location == "/login/second-factor"
    page = sign_in(Page(InProcess(shop.app)), shop.bilal)
    assert page.submit("/login/second-factor", code=code(shop.factor)).location == "/wallet"
    # So do money and its seals.
    shop.send("5.00")
    assert shop.balances() == ["95.00 USD", "5.00 USD"]
    assert shop.seal() == 1
    Books(shop.app).prove()
    # What was gone is in the safety backup, which is known, and leads back.
    (safety,) = shop.safety_backups()
    with shop.app.app_context():
        (line,) = audit.records_of(db.session(), kind="backup", id=shop.name, limit=5)
        assert (line.action, line.after) == ("backup.restored", {"backup": shop.name, "safety": safety})
    shop.name = safety
    assert shop.prove(on_server=shop.scratch).passed  # though it was made while all was closed
    assert shop.restore(safety, *shop.yes).exit_code == 0
    assert shop.balances() == ["70.00 USD", "30.00 USD"]
    assert len(shop.safety_backups()) == 2


def test_the_work_that_made_the_backup_is_not_taken_up_again(shop):
    with shop.app.app_context(), unit_of_work() as session:
        outbox.put(session, Job.BACK_UP)
    work_off(shop.app)
    with shop.app.app_context():
        shop.name = db.session.scalars(select(Backup.name).order_by(Backup.id.desc())).first()
        before = db.session.scalar(select(func.count()).select_from(Backup))
    shop.believe()
    assert shop.restore(shop.name, *shop.yes).exit_code == 0

    work_off(shop.app)
    with shop.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Backup)) == before + 1  # the safety one
        assert alarms.open_alarms(db.session()) == []


def letter(secret=None):
    """A mail that waits to be sent; its row's number."""
    with unit_of_work() as session:
        facts = {"minutes": 10}
        outbox.put(
            session, Job.SEND_EMAIL, template="account_exists", to="a@example.com", facts=facts, secret=secret
        )
        return session.scalar(select(func.max(OutboxRow.id)))


def test_letters_that_waited_when_the_backup_was_made_do_not_go_out_twice_unless_they_warn(shop):
    work_off(shop.app)
    with shop.app.app_context():
        ordinary, another, warning = letter(), letter(), letter(secret={"link": None})
        shop.name = save(shop)
    shop.believe()
    work_off(shop.app)
    with shop.app.app_context():
        later = letter()
    assert shop.restore(shop.name, *shop.yes).exit_code == 0
    work_off(shop.app)

    def command(*arguments):
        return shop.app.test_cli_runner().invoke(args=["backup", "letters", *arguments])

    with shop.app.app_context():
        rows = {each.id: each for each in db.session.scalars(select(OutboxRow))}
        assert rows[warning].done_at
        assert (rows[ordinary].parked_at is not None, rows[ordinary].last_error) == (True, letters.WHY)
        schedule.put_due_work(utcnow())
        schedule.look(utcnow())
        assert [(each.what, each.words) for each in alarms.open_alarms(db.session())] == [
            ("work.parked", "2 letters of before a restore wait for a word: flask --app wsgi backup letters.")
        ]
        assert letter() > later  # a mailbox would take it for the one that had the number
    assert f"{ordinary}  " in command().output
    assert command("--drop").exit_code == 2
    assert (
        command("--drop", "--only", str(another), "--reason", "It was sent").output == "1 letter dropped.\n"
    )
    assert command("--send", "--reason", "Its reader asks").output == "1 letter put back to be sent.\n"
    assert command().output == "No letter is held back.\n"
    work_off(shop.app)
    with shop.app.app_context():
        db.session.expire_all()
        assert db.session.get(OutboxRow, ordinary).done_at
        assert db.session.get(OutboxRow, another).outcome == letters.DROPPED
        (line,) = audit.records_of(db.session(), kind="work", id=another, limit=5)
        assert (line.action, line.reason) == ("letter.dropped", "It was sent")


def test_a_backup_that_does_not_prove_is_not_restored(unproven):
    shop = unproven
    shop.dump.write_bytes(shop.dump.read_bytes()[:-10])
    told = shop.restore(shop.name, *shop.yes)

    assert told.exit_code == 2
    assert "The backup is not proven, so nothing was replaced. The dump was cut short" in told.output
    assert shop.balances() == ["70.00 USD", "30.00 USD"]
    assert shop.safety_backups() == []


def test_a_dump_that_breaks_in_the_middle_leaves_everything_as_it_was(shop):
    content = bytearray(shop.dump.read_bytes())
    content[-40] ^= 1
    shop.dump.write_bytes(content)
    told = shop.restore(shop.name, *shop.yes)

    assert told.exit_code == 2, told.output
    assert "Nothing was replaced: everything is as it was." in told.output
    assert "its checksum is not the one in the manifest" in told.output
    assert shop.balances() == ["70.00 USD", "30.00 USD"]
    assert (shop.state().lockdown, shop.state().is_frozen) == (None, False)
    shop.send("1.00")
    Books(shop.app).prove()


def test_what_does_not_prove_after_all_keeps_money_paused_and_the_safety_backup_leads_back(shop):
    signed_anew(shop, balance_digest="0" * 64)
    told = shop.restore(shop.name, *shop.yes)

    assert told.exit_code == 1, told.output
    assert "The database was replaced, but does not prove, so money stays paused." in told.output
    assert shop.state().lockdown.is_total
    assert shop.state().is_frozen
    (safety,) = shop.safety_backups()
    assert f"To go back: flask --app wsgi backup restore {safety}." in told.output
    shop.name = safety
    shop.believe()
    assert shop.restore(safety, *shop.yes).exit_code == 0
    assert shop.balances() == ["70.00 USD", "30.00 USD"]
    assert (shop.state().lockdown, shop.state().is_frozen) == (None, False)


def test_a_pause_that_somebody_had_ordered_before_outlasts_the_restore(shop):
    with shop.app.app_context():
        lockdown.begin(reason="We look into something")
    told = shop.restore(shop.name, *shop.yes)

    assert told.exit_code == 0, told.output
    assert "Money stays paused, as it was before." in told.output
    assert shop.state().lockdown.reason == "We look into something"
    assert not shop.state().lockdown.is_total
    assert shop.state().is_frozen


@contextmanager
def cut_at_the_end(shop, **how):
    """Have the way of the database's owner cut when everything is to be committed."""
    line = CutLine(shop.scratch.servers.postgres.sockets, **how)
    url = line.url("advancia_owner", shop.scratch.name)
    shop.app.extensions["settings"] = replace(shop.settings, database_owner_url=url)
    try:
        yield
        assert line.is_cut
    finally:
        shop.app.extensions["settings"] = shop.settings
        line.close()


def test_a_connection_that_is_lost_before_the_last_word_is_heard_leaves_everything_as_it_was(shop):
    with cut_at_the_end(shop, is_heard=False):
        told = shop.restore(shop.name, *shop.yes)

    assert told.exit_code == 2, told.output
    assert "Nothing was replaced: everything is as it was." in told.output
    assert shop.balances() == ["70.00 USD", "30.00 USD"]
    assert (shop.state().lockdown, shop.state().is_frozen) == (None, False)


def test_a_connection_that_is_lost_after_the_last_word_was_heard_is_no_failure(shop):
    with cut_at_the_end(shop, is_heard=True):
        told = shop.restore(shop.name, *shop.yes)

    assert told.exit_code == 0, told.output
    assert shop.balances() == ["100.00 USD", "0.00 USD"]
    assert (shop.state().lockdown, shop.state().is_frozen) == (None, False)


def test_where_nobody_can_tell_whether_it_was_committed_that_is_said_and_money_stays_paused(
    shop, monkeypatch
):
    monkeypatch.setattr(replacing_by, "LONGEST_SILENCE", 0.0)
    with cut_at_the_end(shop, is_heard=True, for_good=True):
        told = shop.restore(shop.name, *shop.yes)

    assert told.exit_code == 1, told.output
    assert "Nobody can tell yet whether everything was replaced, so money stays paused." in told.output
    (safety,) = shop.safety_backups()
    assert f"go back to {safety}" in told.output
    assert shop.state().is_frozen
    assert "was replaced by the backup" in shop.state().lockdown.reason


@contextmanager
def stuck_in_the_middle(shop):
    """The command, while it replaces everything, with half of the dump read."""
    content = shop.dump.read_bytes()
    shop.dump.unlink()
    os.mkfifo(shop.dump)
    go_on, is_half = threading.Event(), threading.Event()

    def feed():
        with shop.dump.open("wb", buffering=0) as pipe:
            pipe.write(content[: len(content) // 2])
            is_half.set()
            go_on.wait(60)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "backup", "restore", shop.name, *shop.yes]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **shop.scratch.environ}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert is_half.wait(30), process.communicate()[0]
        with psycopg.connect(
            shop.scratch.servers.postgres.url("postgres", "postgres"), autocommit=True
        ) as eye:
            eventually(lambda: replacing(eye, shop), "everything is being replaced")
        yield process
    finally:
        process.kill()
        process.wait()
        go_on.set()


def replacing(eye, shop) -> bool:
    """Whether psql holds the tables for itself."""
    return eye.execute(
        "select count(*) > 20 from pg_locks l join pg_database d on d.oid = l.database"
        " where d.datname = %s and l.mode = 'AccessExclusiveLock' and l.granted", [shop.scratch.name]
    ).fetchone()[0]  # fmt: skip


@pytest.mark.slow
def test_a_command_that_is_killed_in_the_middle_leaves_everything_as_it_was_and_the_pause_is_said(shop):
    with stuck_in_the_middle(shop) as process:
        shop.close()
        with shop.app.app_context():
            shop.app.extensions["lockdown"].forget()
        for path in ("/wallet", "/admin/", "/login"):
            answer = shop.page.get(path)
            assert (answer.status, "The books are being put back in order" in answer.text) == (503, True)
        assert shop.page.get("/health").status == 200
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with psycopg.connect(
            shop.scratch.servers.postgres.url("postgres", "postgres"), autocommit=True
        ) as eye:
            eventually(lambda: not replacing(eye, shop), "what the command had begun is taken back")

    assert shop.balances() == ["70.00 USD", "30.00 USD"]
    told = shop.app.test_cli_runner().invoke(args=["lockdown", "status"])
    assert told.exit_code == 1
    assert f"The database is being replaced by the backup {shop.name}." in told.output
    lifted = shop.app.test_cli_runner().invoke(args=["lockdown", "off", "--reason", "The restore was killed"])
    assert lifted.output == "Money moves again.\n"
    shop.send("1.00")
    Books(shop.app).prove()
