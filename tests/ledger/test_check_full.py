"""`flask ledger check --full` finds every kind of tampering, and names the row."""

# ruff: noqa: E501 - the table of changes is read by its columns

from __future__ import annotations

import json

import pytest

from advancia import audit, ledger
from advancia.app import create_app
from advancia.config import load_settings
from advancia.core.context import Actor
from advancia.core.db import db
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available, check, filing, horizon, house, seals
from tests.conftest import SEAL_SECRET
from tests.ledger.conftest import Bank, race

AMARA, BILAL = 1, 2
KEYS = (("test", bytes.fromhex(SEAL_SECRET)),)

# Transaction 3 is the transfer of 30.00 with a fee: house/fees, Amara, Bilal. 4 holds 20.00 of Amara's, 5 is wholly the
# house's. Seal 1 reaches up to 3 and audit record 1, seal 2 up to 5 and record 2; transaction 6 and record 3 wait.
OF_AMARA = "(select id from ledger.account where holder = 1 and asset = 'USD' and purpose = 'available')"
OF_BILAL = "(select id from ledger.account where holder = 2 and purpose = 'available')"
HELD = "(select id from ledger.account where holder = 1 and purpose = 'held')"
FEES = "(select id from ledger.account where holder = 0 and purpose = 'fees')"
ONE_MORE_TXN = "insert into ledger.txn (id, reference, kind, fingerprint) values ({}, 'x', 'x', '')"
ONE_MORE_RECORD = (
    "insert into audit_record (id, role, action, object_kind, object_id) values ({}, 'x', 'x', 'x', 'x')"
)

# The column that was changed, how, the check that finds it and what must be named.
CHANGED = [
    ("entry.account_id", f"update ledger.entry set account_id = 999 where txn_id = 3 and account_id = {FEES}", "orphan", "transaction 3"),
    ("entry.account_id", f"update ledger.entry set account_id = {OF_BILAL} where txn_id = 1 and seq = 1", "fingerprint", "transaction 1"),
    ("entry.txn_id", "update ledger.entry set txn_id = 4 where txn_id = 3", "without entries", "transaction 3"),
    ("entry.txn_id", "update ledger.entry set txn_id = 999 where txn_id = 3", "orphan", "transaction 999"),
    ("entry.seq", f"update ledger.entry set seq = 7 where txn_id = 3 and account_id = {OF_AMARA}", "chain", "transaction 3"),
    ("entry.seq", f"update ledger.entry set seq = null where txn_id = 3 and account_id = {OF_AMARA}", "chain", "transaction 3"),
    ("entry.seq", f"update ledger.entry set seq = 1 where txn_id = 3 and account_id = {FEES}", "house", "transaction 3"),
    ("entry.amount", f"update ledger.entry set amount = amount + 1 where txn_id = 3 and account_id = {OF_BILAL}", "sum", "transaction 3"),
    ("entry.amount", "update ledger.entry set amount = amount * 2 where txn_id = 5", "fingerprint", "transaction 5"),
    ("entry.balance_after", f"update ledger.entry set balance_after = 0 where txn_id = 3 and account_id = {OF_BILAL}", "chain", "transaction 3"),
    ("entry.balance_after", f"update ledger.entry set balance_after = 0 where txn_id = 3 and account_id = {FEES}", "house", "transaction 3"),
    ("entry.asset", "update ledger.entry set asset = 'BTC' where txn_id = 3", "asset", "transaction 3"),
    ("entry", "delete from ledger.entry where txn_id = 3", "without entries", "transaction 3"),
    ("entry", f"delete from ledger.entry where txn_id = 3 and account_id = {OF_BILAL}", "sum", "transaction 3"),
    ("entry", "delete from ledger.entry where txn_id = 5", "without entries", "transaction 5"),
    ("entry", "insert into ledger.entry select account_id, txn_id, seq, amount, balance_after, asset from ledger.entry where txn_id = 3", "chain", "transaction 3"),
    ("entry", f"insert into ledger.entry (account_id, txn_id, amount, asset) values ({FEES}, 5, 1, 'USD')", "sum", "1 USD"),
    ("txn.id", "update ledger.txn set id = 999 where id = 3", "without entries", "transaction 999"),
    ("txn.reference", "update ledger.txn set reference = 'other' where id = 3", "fingerprint", "transaction 3"),
    ("txn.kind", "update ledger.txn set kind = 'other' where id = 3", "fingerprint", "transaction 3"),
    ("txn.fingerprint", "update ledger.txn set fingerprint = sha256('') where id = 3", "fingerprint", "transaction 3"),
    ("txn.effective_at", "update ledger.txn set effective_at = now() where id = 3", "fingerprint", "transaction 3"),
    ("txn.meta", "update ledger.txn set meta = '{\"note\": \"other\"}' where id = 3", "fingerprint", "transaction 3"),
    ("txn.meta", "update ledger.txn set meta = null where id = 3", "fingerprint", "transaction 3"),
    ("txn.is_hold", "update ledger.txn set is_hold = true where id = 3", "fingerprint", "transaction 3"),
    ("txn.is_hold", "update ledger.txn set is_hold = false where id = 4", "fingerprint", "transaction 4"),
    ("txn.resolves_id", "update ledger.txn set resolves_id = 4 where id = 5", "held", "transaction 4 holds 2000"),
    ("txn.resolves_id", "update ledger.txn set resolves_id = 3 where id = 5", "held", "transaction 3, which is no hold"),
    ("txn.reverses_id", "update ledger.txn set reverses_id = 2 where id = 3", "fingerprint", "transaction 3"),
    ("txn.refunds_id", "update ledger.txn set refunds_id = 2 where id = 3", "fingerprint", "transaction 3"),
    ("txn.created_at", "update ledger.txn set created_at = created_at - interval '1 second' where id = 3", "seal", "transaction 3 was changed since seal 1"),
    ("txn.request_id", "update ledger.txn set request_id = 'other' where id = 3", "seal", "transaction 3 was changed since seal 1"),
    ("txn", "delete from ledger.txn where id = 3", "orphan", "transaction 3"),
    ("txn", "delete from ledger.txn where id = 3", "seal", "transaction 3 was removed since seal 1"),
    ("txn", ONE_MORE_TXN.format(999), "without entries", "transaction 999"),
    ("txn", ONE_MORE_TXN.format(-1), "orphan", "transaction -1"),
    ("account.id", f"update ledger.account set id = 999 where id = {OF_BILAL}", "without entries", "account 999"),
    ("account.holder", f"update ledger.account set holder = 3 where id = {OF_BILAL}", "fingerprint", "transaction 3"),
    ("account.asset", f"update ledger.account set asset = 'BTC' where id = {OF_BILAL}", "asset", "transaction 3"),
    ("account.purpose", f"update ledger.account set purpose = 'fees' where id = {OF_BILAL}", "account", "(2/USD/fees)"),
    ("account.purpose", f"update ledger.account set purpose = 'held' where id = {OF_BILAL}", "fingerprint", "transaction 3"),
    ("account.balance", f"update ledger.account set balance = balance + 1 where id = {OF_AMARA}", "balance", "(1/USD/available)"),
    ("account.balance", f"update ledger.account set balance = -1 where id = {OF_AMARA}", "account", "(1/USD/available)"),
    ("account.balance", f"update ledger.account set balance = 1 where id = {FEES}", "balance", "(0/USD/fees)"),
    ("account.seq", f"update ledger.account set seq = seq + 1 where id = {OF_AMARA}", "balance", "(1/USD/available)"),
    ("account.floor", f"update ledger.account set floor = null where id = {OF_AMARA}", "account", "(1/USD/available)"),
    ("account.opened_at", f"update ledger.account set opened_at = now() where id = {OF_BILAL}", "seal", "was changed since seal 1"),
    ("account", f"delete from ledger.account where id = {OF_BILAL}", "orphan", "transaction 3"),
    ("account", "insert into ledger.account (id, holder, asset, purpose, floor, balance) values (999, 9, 'USD', 'available', 0, 5)", "balance", "account 999"),
    ("account", "insert into ledger.account (id, holder, asset, purpose, floor) values (999, 9, 'USD', 'available', 0)", "without entries", "account 999"),
    ("rollup.account_id", f"update ledger.rollup set account_id = {OF_BILAL} where account_id = {FEES}", "rollup", "of no account of the house"),
    ("rollup.upto_txn", f"update ledger.rollup set upto_txn = 4 where account_id = {FEES} and upto_txn = 5", "rollup", "up to transaction 4"),
    ("rollup.balance", f"update ledger.rollup set balance = balance + 1 where account_id = {FEES}", "rollup", "up to transaction 3"),
    ("rollup.entries", f"update ledger.rollup set entries = 7 where account_id = {FEES}", "rollup", "up to transaction 3"),
    ("rollup", f"delete from ledger.rollup where account_id = {FEES} and upto_txn = 3", None, ""),
    ("rollup", f"insert into ledger.rollup values ({FEES}, 4, 5, 5)", "rollup", "up to transaction 4"),
    ("filing.account_id", f"update ledger.filing set account_id = 999 where account_id = {OF_BILAL}", "filing", "account 999"),
    ("filing.upto_txn", f"update ledger.filing set upto_txn = 2 where account_id = {OF_AMARA} and not is_in", "filing", "account 2 "),
    ("filing.is_in", f"update ledger.filing set is_in = not is_in where account_id = {OF_AMARA}", "filing", "account 2 "),
    ("filing.kind", f"update ledger.filing set kind = 'other' where account_id = {OF_BILAL}", "filing", "are not filed as they are"),
    ("filing.txn_ids", f"update ledger.filing set txn_ids = '{{2,3}}' where account_id = {OF_BILAL}", "filing", "are not filed as they are"),
    ("filing.txn_ids", f"update ledger.filing set txn_ids = '{{3,3,3}}' where account_id = {OF_BILAL}", "filing", "are not filed as they are"),
    ("filing", f"delete from ledger.filing where account_id = {OF_BILAL}", "filing", "are not filed as they are"),
    ("filing", f"insert into ledger.filing values ({OF_BILAL}, 2, false, 'x', '{{2}}')", "filing", "are not filed as they are"),
    ("filed.account_id", f"update ledger.filed set account_id = 999 where account_id = {OF_BILAL}", "filing", "account 999"),
    ("filed.upto_txn", f"update ledger.filed set upto_txn = 6 where account_id = {OF_BILAL}", "filing", "up to transaction 6"),
    ("filed.entries", f"update ledger.filed set entries = 9 where account_id = {OF_BILAL}", "filing", "are not filed as they are"),
    ("filed.kinds", f"update ledger.filed set kinds = '{{}}' where account_id = {OF_BILAL}", "filing", "are not filed as they are"),
    ("filed", f"delete from ledger.filed where account_id = {OF_BILAL}", "filing", "are not filed as they are"),
    *(
        (f"seal.{column}", f"update ledger.seal set {column} = {value} where id = 1", "seal", "seal 1 ")
        for column, value in {
            "version": "2", "txns": "9", "entries": "9", "accounts": "9", "audits": "9",
            "upto_txn": "2", "upto_audit": "9", "digest": "sha256('')", "leaves": "''", "previous": "sha256('')",
            "head": "sha256('')", "signature": "sha256('')", "key_id": "'other'", "sealed_at": "now()",
        }.items()
    ),
    ("seal.id", "update ledger.seal set id = 7 where id = 1", "seal", "seal 7 "),
    ("seal", "delete from ledger.seal where id = 1", "seal", "seal 2 does not follow"),
    ("seal", "delete from ledger.seal where id = 2", "seal", "seal 2 was proven before, and is gone"),
    ("seal", "insert into ledger.seal select 3, version, upto_txn, upto_audit, txns, entries, accounts, audits, digest, leaves, previous, head, signature, key_id, sealed_at from ledger.seal where id = 2", "seal", "seal 3 is not chained"),
    *(
        (f"audit_record.{column}", f"update audit_record set {column} = {value} where id = 1", "seal", "audit record 1 was changed since seal 1")
        for column, value in {
            "recorded_at": "now()", "actor_id": "99", "role": "'x'", "action": "'x'", "object_kind": "'x'", "object_id": "'x'",
            "before": "'{}'", "after": "null", "address": "null", "reason": "'x'", "request_id": "'x'",
        }.items()
    ),
    ("audit_record.id", "update audit_record set id = -5 where id = 1", "seal", "audit record -5"),
    ("audit_record", "delete from audit_record where id = 1", "seal", "audit record 1 was removed since seal 1"),
    ("audit_record", ONE_MORE_RECORD.format(2), "seal", "audit record 2"),
    ("audit_record", ONE_MORE_RECORD.format(-1), "seal", "audit record -1"),
    ("checkpoint.account_id", f"update ledger.checkpoint set account_id = 999 where account_id = {OF_BILAL}", "checkpoint", "account 999"),
    ("checkpoint.txn_id", f"update ledger.checkpoint set txn_id = 4 where account_id = {OF_BILAL}", "checkpoint", "at transaction 4"),
    ("checkpoint.seq", f"update ledger.checkpoint set seq = 7 where account_id = {OF_BILAL}", "checkpoint", "at transaction 6"),
    ("checkpoint.balance", f"update ledger.checkpoint set balance = 7 where account_id = {OF_BILAL}", "checkpoint", "at transaction 6"),
]  # fmt: skip

# These only tell the quick check where it may begin; the full one begins at nothing.
HINTS = {"proof.id", "proof.upto_txn", "proof.upto_seal", "proof.proven_at"}


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def record(scratch, number: int) -> None:
    with scratch.session() as session:
        audit.record(
            session,
            Actor(user_id=7, role="admin", address="10.0.0.1", request_id="request-1"),
            action="limit.change",
            kind="user",
            id=number,
            before={"limit": 1},
            after={"limit": number},
            reason="asked by mail",
        )
        session.commit()


def seal(scratch) -> None:
    with scratch.session() as session:
        horizon.roll_up(session, least=1)
        filing.file_entries(session, least=1)
        assert list(seals.seal(session, KEYS))


def post_some(scratch) -> None:
    bank = Bank(scratch.engine)
    bank.pay_in(AMARA, usd("100.00"))
    bank.pay_in(AMARA, Money(5, asset("BTC")))
    bank.post(
        Posting(available(AMARA), available(BILAL), usd("30.00")),
        Posting(available(AMARA), house("fees"), usd("0.30")),
        kind="transfer",
        meta={"note": "rent"},
    )
    record(scratch, 1)
    seal(scratch)
    bank.do(ledger.hold, reference="hold:1", kind="hold", user_id=AMARA, amount=usd("20.00"))
    bank.post(Posting(house("fees"), house("treasury"), usd("0.30")), kind="sweep")
    record(scratch, 2)
    seal(scratch)
    bank.pay_in(BILAL, usd("1.00"))
    record(scratch, 3)
    with scratch.session() as session:
        assert check.run_quick(session, keys=KEYS).verdict == "proven"


@pytest.fixture(scope="module")
def posted(scratch_of):
    """A database with a few transactions, to be tampered with."""
    made = scratch_of()
    post_some(made)
    made.remember()
    return made


@pytest.fixture
def copy(posted):
    """The same rows for every test, without any guard."""
    yield posted
    posted.restore()


def report_on(scratch, **more) -> check.LedgerReport:
    with scratch.session() as session:
        return check.run(session, keys=KEYS, **more)


def test_books_in_order_are_proven_and_counted(copy):
    report = report_on(copy)
    assert (report.verdict, report.differences) == ("proven", ())
    assert (report.entries, report.accounts, report.transactions) == (13, 8, 6)
    assert (report.seals, report.unsealed) == (2, 1)


@pytest.mark.parametrize(("column", "statement", "found_by", "named"), CHANGED)
def test_a_changed_row_is_found_and_named(copy, column, statement, found_by, named):
    copy.tamper(statement)
    report = report_on(copy)
    if found_by is None:  # nothing is lost: a roll-up only saves adding up
        assert report.verdict == "proven"
        return
    assert report.verdict == "wrong"
    assert [each for each in report.differences if each.check == found_by and named in each.told], (
        report.differences
    )


UNDER_ONE_PAYMENT = """
    update ledger.txn set refunds_id = 1,
           fingerprint = ledger.linked_fingerprint(
             ledger.fingerprint(reference, kind, '{{0,{user}}}', '{{USD,USD}}', '{{clearing.sandbox,available}}',
                                '{{700,-700}}', meta, effective_at), false, null, null, 1)
    where id = 4
"""


@pytest.mark.parametrize("full", [True, False])
def test_refunds_beyond_what_the_customer_got_are_found_though_each_is_right_by_itself(scratch, full):
    bank = Bank(scratch.engine)
    for number in (1, 2):
        bank.pay_in(AMARA, usd("10.00"), reference=f"paid:{number}")
    for number in (1, 2):
        bank.do(
            ledger.refund,
            transaction_reference=f"paid:{number}",
            reference=f"back:{number}",
            amount=usd("7.00"),
        )

    def report() -> check.LedgerReport:
        with scratch.session() as session:
            return check.run(session) if full else check.run_quick(session)

    if full:
        assert report().verdict == "proven"
    scratch.remember()
    scratch.tamper(UNDER_ONE_PAYMENT.format(user=AMARA))
    assert [str(each) for each in report().differences] == [
        "refund: the refunds of transaction 1 sum to 1400; what the customer got by it is 1000"
    ]


def test_no_column_is_forgotten_here(app_connection):
    columns = app_connection.execute(
        "select table_name || '.' || column_name from information_schema.columns"
        " where table_schema = 'ledger' and table_name not in ('asset', 'purpose') or table_name = 'audit_record'"
    ).fetchall()
    assert {name for (name,) in columns} == HINTS | {column for column, *_ in CHANGED if "." in column}


def test_books_without_a_row_are_called_empty_and_not_proven(scratch):
    app = create_app(load_settings(scratch.environ))
    runner = app.test_cli_runner()
    for words in (["ledger", "check", "--full"], ["ledger", "check"]):
        told, figures = runner.invoke(args=words), runner.invoke(args=[*words, "--json"])
        assert told.exit_code == figures.exit_code == 0
        assert "Empty: nothing to prove." in told.output
        assert json.loads(figures.output)["verdict"] == "empty"
    with app.app_context():
        db.engine.dispose()


def test_the_command_says_what_it_read_and_its_exit_code_what_it_found(copy):
    app = create_app(load_settings(copy.environ))
    runner = app.test_cli_runner()
    right = runner.invoke(args=["ledger", "check", "--full"])
    assert right.exit_code == 0
    assert "Read 13 entries, 8 accounts, 6 transactions, 2 seals.\nProven" in right.output

    copy.tamper(f"update ledger.account set balance = balance + 1 where id = {OF_AMARA}")
    words = runner.invoke(args=["ledger", "check", "--full"])
    figures = runner.invoke(args=["ledger", "check", "--full", "--json"])
    assert words.exit_code == figures.exit_code == 1
    assert "Wrong" in words.output
    assert "(1/USD/available)" in words.output
    found = json.loads(figures.output)
    assert found["verdict"] == "wrong"
    assert found["differences"][0]["check"] == "balance"
    with app.app_context():
        db.engine.dispose()


def test_the_command_is_not_content_without_a_seal_that_was_noted(copy):
    app = create_app(load_settings(copy.environ))
    runner = app.test_cli_runner()
    with copy.session() as session:
        first, second = (each.chained for each in seals.seals(session))

    assert runner.invoke(args=["ledger", "check", "--full", "--head", first, "--head", second]).exit_code == 0
    for wrong, told in (
        (f"1:{'0' * 64}", "seal 1 is not the one that was noted"),
        (f"3:{'0' * 64}", "seal 3 was noted"),
    ):
        answer = runner.invoke(args=["ledger", "check", "--full", "--head", wrong])
        assert answer.exit_code == 1
        assert told in answer.output
    assert runner.invoke(args=["ledger", "check", "--full", "--head", "nonsense"]).exit_code == 2
    with app.app_context():
        db.engine.dispose()


def test_the_check_reads_one_moment_while_others_post(bank, new_user_id):
    """Posting goes on during the check; what it compares must all be of the same moment."""
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("100.00"))

    def post() -> None:
        for _ in range(40):
            bank.send(amara, bilal, usd("0.10"))

    def prove() -> list[str]:
        with bank.session() as session:
            return [check.run(session, keys=KEYS).verdict for _ in range(4)]

    outcomes = race([post, post, prove, prove])
    assert outcomes == [None, None, ["proven"] * 4, ["proven"] * 4]
