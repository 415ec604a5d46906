"""`flask ledger check` finds every kind of tampering, and names the row."""

# ruff: noqa: E501 - the table of changes is read by its columns

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia.app import create_app
from advancia.config import load_settings, sqlalchemy_url
from advancia.core.db import db
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available, check, held, house
from tests.conftest import TEMPLATE
from tests.ledger.conftest import Bank, race

AMARA, BILAL = 1, 2

# What its owner can do to be rid of every guard, short of being a superuser.
WITHOUT_GUARDS = """
    alter table ledger.entry disable trigger user;
    alter table ledger.txn disable trigger user;
    alter table ledger.account disable trigger user;
    alter table ledger.entry drop constraint fk_entry_account_id_account, drop constraint fk_entry_txn_id_txn,
                             drop constraint ck_entry, drop constraint pk_entry;
    alter table ledger.account drop constraint ck_account_floor, drop constraint fk_account_purpose_purpose;
    alter table ledger.txn alter column id drop identity;
    alter table ledger.account alter column id drop identity;
"""

# Transaction 3 is the transfer of 30.00 with a fee: house/fees, Amara, Bilal. Transaction 5 is wholly the house's.
OF_AMARA = "(select id from ledger.account where holder = 1 and asset = 'USD' and purpose = 'available')"
OF_BILAL = "(select id from ledger.account where holder = 2 and purpose = 'available')"
FEES = "(select id from ledger.account where holder = 0 and purpose = 'fees')"

# The column that was changed, how, the check that finds it and what must be named.
CHANGED = [
    ("entry.account_id", f"update ledger.entry set account_id = 999 where txn_id = 3 and account_id = {FEES}", "orphan", "transaction 3"),
    ("entry.account_id", f"update ledger.entry set account_id = {OF_BILAL} where txn_id = 1 and seq = 1", "fingerprint", "transaction 1"),
    ("entry.txn_id", "update ledger.entry set txn_id = 4 where txn_id = 3", "without entries", "transaction 3"),
    ("entry.txn_id", "update ledger.entry set txn_id = 999 where txn_id = 3", "orphan", "transaction 999"),
    ("entry.seq", f"update ledger.entry set seq = 7 where txn_id = 3 and account_id = {OF_AMARA}", "chain", "transaction 3"),
    ("entry.seq", f"update ledger.entry set seq = 1 where txn_id = 3 and account_id = {FEES}", "house", "transaction 3"),
    ("entry.amount", f"update ledger.entry set amount = amount + 1 where txn_id = 3 and account_id = {OF_BILAL}", "sum", "transaction 3"),
    ("entry.amount", "update ledger.entry set amount = amount * 2 where txn_id = 5", "fingerprint", "transaction 5"),
    ("entry.balance_after", f"update ledger.entry set balance_after = 0 where txn_id = 3 and account_id = {OF_BILAL}", "chain", "transaction 3"),
    ("entry.asset", "update ledger.entry set asset = 'BTC' where txn_id = 3", "asset", "transaction 3"),
    ("entry", "delete from ledger.entry where txn_id = 3", "without entries", "transaction 3"),
    ("entry", f"delete from ledger.entry where txn_id = 3 and account_id = {OF_BILAL}", "sum", "transaction 3"),
    ("entry", "delete from ledger.entry where txn_id = 5", "without entries", "transaction 5"),
    ("entry", "insert into ledger.entry select account_id, txn_id, seq, amount, balance_after, asset from ledger.entry where txn_id = 3", "chain", "transaction 3"),
    ("entry", f"insert into ledger.entry (account_id, txn_id, amount, asset) values ({FEES}, 5, 1, 'USD')", "total", "1 USD"),
    ("txn.id", "update ledger.txn set id = 999 where id = 3", "without entries", "transaction 999"),
    ("txn.reference", "update ledger.txn set reference = 'other' where id = 3", "fingerprint", "transaction 3"),
    ("txn.kind", "update ledger.txn set kind = 'other' where id = 3", "fingerprint", "transaction 3"),
    ("txn.fingerprint", "update ledger.txn set fingerprint = sha256('') where id = 3", "fingerprint", "transaction 3"),
    ("txn.effective_at", "update ledger.txn set effective_at = now() where id = 3", "fingerprint", "transaction 3"),
    ("txn.meta", "update ledger.txn set meta = '{\"note\": \"other\"}' where id = 3", "fingerprint", "transaction 3"),
    ("txn.meta", "update ledger.txn set meta = null where id = 3", "fingerprint", "transaction 3"),
    ("txn.is_hold", "update ledger.txn set is_hold = true where id = 3", "fingerprint", "transaction 3"),
    ("txn.resolves_id", "update ledger.txn set resolves_id = 2 where id = 3", "fingerprint", "transaction 3"),
    ("txn.reverses_id", "update ledger.txn set reverses_id = 2 where id = 3", "fingerprint", "transaction 3"),
    ("txn.refunds_id", "update ledger.txn set refunds_id = 2 where id = 3", "fingerprint", "transaction 3"),
    ("txn", "delete from ledger.txn where id = 3", "orphan", "transaction 3"),
    ("txn", "insert into ledger.txn (id, reference, kind, fingerprint) values (999, 'x', 'x', '')", "without entries", "transaction 999"),
    ("account.id", f"update ledger.account set id = 999 where id = {OF_BILAL}", "balance", "account 999"),
    ("account.holder", f"update ledger.account set holder = 3 where id = {OF_BILAL}", "fingerprint", "transaction 3"),
    ("account.asset", f"update ledger.account set asset = 'BTC' where id = {OF_BILAL}", "asset", "transaction 3"),
    ("account.purpose", f"update ledger.account set purpose = 'fees' where id = {OF_BILAL}", "account", "(2/USD/fees)"),
    ("account.purpose", f"update ledger.account set purpose = 'held' where id = {OF_BILAL}", "fingerprint", "transaction 3"),
    ("account.balance", f"update ledger.account set balance = balance + 1 where id = {OF_AMARA}", "balance", "(1/USD/available)"),
    ("account.balance", f"update ledger.account set balance = -1 where id = {OF_AMARA}", "account", "(1/USD/available)"),
    ("account.balance", f"update ledger.account set balance = 1 where id = {FEES}", "balance", "(0/USD/fees)"),
    ("account.seq", f"update ledger.account set seq = seq + 1 where id = {OF_AMARA}", "balance", "(1/USD/available)"),
    ("account.floor", f"update ledger.account set floor = null where id = {OF_AMARA}", "account", "(1/USD/available)"),
    ("account", f"delete from ledger.account where id = {OF_BILAL}", "orphan", "transaction 3"),
    ("account", "insert into ledger.account (id, holder, asset, purpose, floor, balance) values (999, 9, 'USD', 'available', 0, 5)", "balance", "account 999"),
]  # fmt: skip

# No other row says anything about these; a seal over the rows is what will show that they were changed.
UNPROVEN = {"txn.created_at", "txn.request_id", "account.opened_at"}


@pytest.fixture(scope="module")
def environ_of(servers):
    def environ_of(database: str) -> dict[str, str]:
        return servers.environ(database, var=servers.folder / database)

    return environ_of


def post_some(environ) -> None:
    engine = create_engine(sqlalchemy_url(environ["DATABASE_URL"]))
    bank, usd = Bank(engine), lambda text: Money.of(text, "USD")
    bank.pay_in(AMARA, usd("100.00"))
    bank.pay_in(AMARA, Money(5, asset("BTC")))
    bank.post(
        Posting(available(AMARA), available(BILAL), usd("30.00")),
        Posting(available(AMARA), house("fees"), usd("0.30")),
        kind="transfer",
        meta={"note": "rent"},
    )
    bank.post(Posting(available(AMARA), held(AMARA), usd("20.00")), kind="hold")
    bank.post(Posting(house("fees"), house("treasury"), usd("0.30")), kind="sweep")
    engine.dispose()


@pytest.fixture(scope="module")
def posted(servers, environ_of, worker_id) -> Iterator[str]:
    """A database with a few transactions, to be copied."""
    name = f"posted_{worker_id}"
    servers.postgres.create_database(name, owner="advancia_owner", template=TEMPLATE)
    post_some(environ_of(name))
    yield name
    servers.postgres.drop_database(name)


@pytest.fixture
def copy(servers, environ_of, posted, scratch_name) -> Iterator[dict[str, str]]:
    servers.postgres.create_database(scratch_name, owner="advancia_owner", template=posted)
    yield environ_of(scratch_name)
    servers.postgres.drop_database(scratch_name)


def report_on(environ) -> check.LedgerReport:
    engine = create_engine(sqlalchemy_url(environ["DATABASE_URL"]))
    with Session(engine) as session:
        report = check.run(session)
    engine.dispose()
    return report


def tamper(environ, statement: str) -> None:
    with psycopg.connect(environ["DATABASE_OWNER_URL"]) as owner:
        owner.execute(WITHOUT_GUARDS)
        assert owner.execute(statement).rowcount >= 1


def test_books_in_order_are_proven_and_counted(copy):
    report = report_on(copy)
    assert (report.verdict, report.differences) == ("proven", ())
    assert (report.entries, report.accounts, report.transactions) == (11, 8, 5)


@pytest.mark.parametrize(("column", "statement", "found_by", "named"), CHANGED)
def test_a_changed_row_is_found_and_named(copy, column, statement, found_by, named):
    tamper(copy, statement)
    report = report_on(copy)
    assert report.verdict == "wrong"
    assert [each for each in report.differences if each.check == found_by and named in each.told], (
        report.differences
    )


def test_no_column_is_forgotten_here(app_connection):
    columns = app_connection.execute(
        "select table_name || '.' || column_name from information_schema.columns"
        " where table_schema = 'ledger' and table_name in ('account', 'txn', 'entry')"
    ).fetchall()
    assert {name for (name,) in columns} == UNPROVEN | {column for column, *_ in CHANGED if "." in column}


def test_an_empty_ledger_is_called_empty_and_not_proven(servers, environ_of, scratch_name):
    servers.postgres.create_database(scratch_name, owner="advancia_owner", template=TEMPLATE)
    try:
        app = create_app(load_settings(environ_of(scratch_name)))
        runner = app.test_cli_runner()
        words, figures = (
            runner.invoke(args=["ledger", "check"]),
            runner.invoke(args=["ledger", "check", "--json"]),
        )
        assert words.exit_code == figures.exit_code == 0
        assert "Empty: nothing to prove." in words.output
        assert json.loads(figures.output)["verdict"] == "empty"
        with app.app_context():
            db.engine.dispose()
    finally:
        servers.postgres.drop_database(scratch_name)


def test_the_command_says_what_it_read_and_its_exit_code_what_it_found(copy):
    app = create_app(load_settings(copy))
    runner = app.test_cli_runner()
    right = runner.invoke(args=["ledger", "check"])
    assert right.exit_code == 0
    assert "Read 11 entries, 8 accounts, 5 transactions.\nProven" in right.output

    tamper(copy, f"update ledger.account set balance = balance + 1 where id = {OF_AMARA}")
    words, figures = (
        runner.invoke(args=["ledger", "check"]),
        runner.invoke(args=["ledger", "check", "--json"]),
    )
    assert words.exit_code == figures.exit_code == 1
    assert "Wrong" in words.output
    assert "(1/USD/available)" in words.output
    found = json.loads(figures.output)
    assert found["verdict"] == "wrong"
    assert found["differences"][0]["check"] == "balance"
    with app.app_context():
        db.engine.dispose()


def test_the_check_reads_one_moment_while_others_post(bank, new_user_id):
    """Posting goes on during the check; what it compares must all be of the same moment."""
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, Money.of("100.00", "USD"))

    def post() -> None:
        for _ in range(40):
            bank.send(amara, bilal, Money.of("0.10", "USD"))

    def prove() -> list[str]:
        with bank.session() as session:
            return [check.run(session).verdict for _ in range(4)]

    outcomes = race([post, post, prove, prove])
    assert outcomes == [None, None, ["proven"] * 4, ["proven"] * 4]
