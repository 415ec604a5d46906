"""Databases to export, and the tools that read them back."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
from decimal import Decimal

import psycopg
import pytest
from beancount import loader
from beancount.core.data import Open, Transaction
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia.app import create_app
from advancia.config import load_settings, sqlalchemy_url
from advancia.core.db import db
from advancia.core.money import Money, asset
from advancia.ledger import chart
from advancia.ledger.export import export
from tests.ledger.conftest import Bank

HOSTILE = [
    "plain",
    "two\nlines\r\nand\ttabs",
    "quotes \" and ' and \\ and \\n",
    "; a comment, with date:2020-01-01 and [2020-02-02=2020-03-03]",
    "  spaces at both ends  ",
    "a | bar, a comma; reference:forged",
    "    Assets:Forged  1000000 USD\n2026-01-01 * forged",
    '"\n2026-01-01 open Assets:Forged',
    "=HYPERLINK(1)",
    "-1+1",
    "@SUM(1)",
    "\tcell",
    "'quoted",
    "bidi \u202e override, nbsp \xa0, \x01, \x85, \u2028, and \U0001f600\U000e0041",
    "",
    " ",
]


class Ledger:
    """A database of its own, its bank and its command line."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.engine = create_engine(sqlalchemy_url(environ["DATABASE_URL"]))
        self.bank = Bank(self.engine)

    def export(self, to: str, **range_) -> str:
        with Session(self.engine) as session:
            return "".join(export(session, to=to, **range_))

    def command(self, *arguments: str, of: tuple[str, str] = ("ledger", "export")):
        app = create_app(load_settings(self.environ))
        try:
            return app.test_cli_runner().invoke(args=[*of, *arguments])
        finally:
            with app.app_context():
                db.engine.dispose()

    def balances(self, *, through: int = 10**18) -> dict[str, Decimal]:
        """Every account's balance by its name outside, a debit as plus, summed here."""
        with psycopg.connect(self.environ["DATABASE_URL"]) as connection:
            rows = connection.execute(
                "select a.holder, a.asset, a.purpose, sum(e.amount) from ledger.account a"
                " join ledger.entry e on e.account_id = a.id where e.txn_id <= %s group by a.id",
                (through,),
            ).fetchall()
        return {
            chart.name_of(holder, code, purpose): -Money(int(minor), asset(code)).decimal
            for holder, code, purpose, minor in rows
        }


def hledger(*arguments: str, journal: str) -> str:
    if shutil.which("hledger") is None:
        if os.environ.get("ADVANCIA_CI"):
            pytest.fail("hledger is not installed, and CI may skip nothing.")
        pytest.skip("hledger is not installed; install the package hledger to read the export back with it.")
    ran = subprocess.run(
        ["hledger", "-f", "-", *arguments],
        input=journal,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def hledger_balances(journal: str) -> dict[str, Decimal]:
    rows = csv.reader(
        io.StringIO(hledger("balance", "--empty", "--flat", "--no-total", "-O", "csv", journal=journal))
    )
    next(rows)
    return without_opening({name: Decimal(balance.split()[0]) for name, balance in rows})


def beancount_entries(journal: str) -> list:
    entries, errors, _ = loader.load_string(journal)
    assert not errors, errors[:3]
    return entries


def beancount_balances(journal: str) -> dict[str, Decimal]:
    balances = {}
    for entry in beancount_entries(journal):
        if isinstance(entry, Open):
            balances[entry.account] = Decimal(0)
        elif isinstance(entry, Transaction):
            for posting in entry.postings:
                balances[posting.account] += posting.units.number
    return without_opening(balances)


def without_opening(balances: dict[str, Decimal]) -> dict[str, Decimal]:
    """What is carried forward comes from an account that must end at zero."""
    opening = {name for name in balances if name.startswith("Equity:Opening:")}
    assert all(balances[name] == 0 for name in opening)
    return {name: balance for name, balance in balances.items() if name not in opening}


READERS = {"hledger": hledger_balances, "beancount": beancount_balances}


def stored(books: Ledger) -> list[tuple]:
    with psycopg.connect(books.environ["DATABASE_URL"]) as connection:
        return connection.execute(
            "select id, reference, kind, meta -> 'note', meta from ledger.txn order by id"
        ).fetchall()


def read(told: str) -> str:
    """A text on one line as it was."""
    return json.loads('"' + told.replace('"', '\\"') + '"')
