"""Proofs of what is large, or in motion, and a restore into a product whose processes run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import ClientCursor

from advancia import ledger
from advancia.config import ROOT
from advancia.core.db import db, in_unit_of_work
from advancia.core.money import Money
from advancia.ledger import seals
from bench.ledger.books import LEGS_EACH, LOAD
from tests.support.backups import save, saved
from tests.support.books import Books
from tests.support.pages import OverHttp, Page, sign_in
from tests.support.people import new_customer
from tests.support.servers import Product, eventually

pytestmark = pytest.mark.slow

MILLION = 1_000_000
TELLERS = 4


def load(scratch, *, entries):
    """A history of about so many entries, at once."""
    url = scratch.servers.postgres.url("postgres", scratch.name)
    with psycopg.connect(url, autocommit=True, cursor_factory=ClientCursor) as superuser:
        superuser.execute(LOAD, {"customers": 2000, "txns": int(entries / LEGS_EACH) + 1})


def test_a_million_entries_are_proven(scratch):
    load(scratch, entries=MILLION)
    with saved(scratch, backup=False) as large:
        with large.app.app_context():
            list(seals.seal(db.session(), large.settings.seal_keys))
        large.name = save(large)
        found = large.prove()

    assert found.passed, found.reason
    assert large.manifest.facts.tables["ledger.entry"] > 0.99 * MILLION


@contextmanager
def storm(product, people):
    """Transfers at random, as quickly as they go, for the duration; gives how many there were."""
    over, counted = threading.Event(), [0] * TELLERS

    def teller(number):
        turn = 0
        while not over.is_set():
            turn += 1
            source, target = people[turn % len(people)], people[(turn + 1 + number) % len(people)]
            posting = ledger.Posting(
                ledger.available(source.id), ledger.available(target.id), Money.of("0.01", "USD")
            )
            with product.app.app_context():
                in_unit_of_work(
                    lambda session, posting=posting, turn=turn: ledger.post(
                        session, reference=f"storm:{number}:{turn}", kind="transfer", postings=[posting]
                    )
                )
            counted[number] = turn

    with ThreadPoolExecutor(TELLERS) as pool:
        tellers = [pool.submit(teller, number) for number in range(TELLERS)]
        try:
            yield lambda: sum(counted)
        finally:
            over.set()
    for each in tellers:
        each.result()


def test_a_backup_that_was_taken_in_a_storm_of_transfers_is_proven(scratch):
    with saved(scratch, backup=False) as product:
        people = [new_customer(product.app, f"Person {letter}", USD="1000.00") for letter in "ABCDEFG"]
        with storm(product, people) as count:
            eventually(lambda: count() > 200, "the storm has begun")
            before = count()
            product.name = save(product)
            eventually(lambda: count() > before + 50, "the storm goes on")
        found = product.prove(on_server=scratch)

        assert found.passed, found.reason
        assert before <= product.manifest.facts.tables["ledger.txn"] - len(people) <= count()
        Books(product.app).prove()


@pytest.fixture
def running(scratch):
    product = Product(scratch.environ, scratch.servers.folder / scratch.name)
    product.start_all()
    yield product
    product.stop_all()
    with product.app.app_context():
        db.session.remove()
        db.engine.dispose()


def command(product, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=ROOT, env={**os.environ, **product.environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def seal(product):
    """Seal the books; that is refused while a transaction of before runs, in whatever database of the same server."""
    eventually(lambda: command(product, "ledger", "seal").returncode == 0, "the books can be sealed")


def send(page, to, amount="10.00"):
    review = page.submit("/transfers/new", recipient=to.email, amount=amount, asset="USD", note="")
    return page.submit_form(page.follow(review)) if review.status == 303 else review


def test_a_restore_into_the_running_product(running, scratch):
    books = Books(running.app)
    amara = new_customer(running.app, "Amara Okafor", USD="100.00")
    bilal = new_customer(running.app, "Bilal Haddad")
    page = sign_in(Page(OverHttp(running.url)), amara)
    chidi = sign_in(Page(OverHttp(running.url)), new_customer(running.app, "Chidi Eze", USD="20.00"))
    seal(running)
    name = json.loads(command(running, "backup", "create", "--json").stdout)["name"]
    assert send(page, bilal).location.startswith("/transfers/")
    form, met = page.get("/transfers/new"), []
    over = threading.Event()

    def knock():
        """What a customer meets who asks for money to be sent, again and again."""
        while not over.wait(0.4):
            answer = page.submit_form(form, recipient=bilal.email, amount="1.00", asset="USD", note="")
            met.append((answer.status, answer.text))

    knocker = threading.Thread(target=knock)
    knocker.start()
    done = command(running, "backup", "restore", name, "--yes-replace", scratch.name)
    over.set()
    knocker.join()

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Proving {name} first." in done.stdout
    closed = [text for status, text in met if status == 503]
    assert closed
    assert all("Nothing was changed now" in text for text in closed)
    # Who asks as often as this one is told to slow down, too.
    assert {status for status, _ in met} <= {200, 303, 429, 503}
    assert [str(books.available(each)) for each in (amara, bilal)] == ["100.00 USD", "0.00 USD"]
    eventually(lambda: "Amara Okafor" in page.get("/wallet").text, "the pages are open again", within=5)
    assert send(chidi, bilal, "5.00").location.startswith("/transfers/")
    assert str(books.available(bilal)) == "5.00 USD"
    books.prove()
    seal(running)
    assert command(running, "ledger", "check", "--full").returncode == 0
    eventually(lambda: command(running, "lockdown", "status").returncode == 0, "money moves")
