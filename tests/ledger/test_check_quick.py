"""`flask ledger check` proves what came since the last check, and remembers how far that is."""

# ruff: noqa: E501 - the table of changes is read by its columns

from __future__ import annotations

import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.app import create_app
from advancia.config import load_settings
from advancia.core.db import db
from advancia.core.money import Money
from advancia.ledger import Posting, available, check, house, seals
from tests.conftest import SEAL_SECRET
from tests.ledger.conftest import Bank, race

KEYS = (("test", bytes.fromhex(SEAL_SECRET)),)
OF_AMARA = "(select id from ledger.account where holder = 1 and purpose = 'available')"
FEES = "(select id from ledger.account where holder = 0 and purpose = 'fees')"


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def quick(scratch) -> check.LedgerReport:
    with scratch.session() as session:
        return check.run_quick(session, keys=KEYS)


def seal(scratch) -> None:
    with scratch.session() as session:
        list(seals.seal(session, KEYS))


@pytest.fixture(scope="module")
def proven(scratch_of):
    """Three transactions that were proven, and three that came after them: 4, 5 and 6."""
    made = scratch_of()
    bank = Bank(made.engine)
    bank.pay_in(1, usd("100.00"))
    bank.pay_in(2, usd("50.00"))
    bank.post(Posting(available(1), house("fees"), usd("1.00")))
    seal(made)
    assert quick(made).verdict == "proven"
    bank.post(
        Posting(available(1), available(2), usd("30.00")), Posting(available(1), house("fees"), usd("0.30"))
    )
    bank.do(ledger.hold, reference="hold", kind="hold", user_id=1, amount=usd("20.00"))
    bank.post(Posting(house("fees"), house("treasury"), usd("0.30")))
    seal(made)
    made.remember()
    return made


@pytest.fixture
def copy(proven):
    """The same rows for every test, without any guard."""
    yield proven
    proven.restore()


def test_it_reads_what_is_new_and_the_next_time_nothing(copy):
    first, second = quick(copy), quick(copy)
    assert (first.verdict, first.entries, first.transactions, first.seals) == ("proven", 7, 3, 1)
    assert (second.verdict, second.entries, second.transactions, second.seals) == ("proven", 0, 0, 0)


FOUND = [
    ("update ledger.account set balance = balance + 1 where holder = 1 and purpose = 'available'", "balance", "(1/USD/available)"),
    ("update ledger.account set seq = seq + 1 where holder = 2", "balance", "(2/USD/available)"),
    ("update ledger.account set floor = null where holder = 2", "account", "(2/USD/available)"),
    ("delete from ledger.account where holder = 2", "checkpoint", "proven before, and is gone"),
    (f"update ledger.entry set seq = 9 where txn_id = 4 and account_id = {OF_AMARA}", "chain", "(1/USD/available)"),
    (f"update ledger.entry set balance_after = 9 where txn_id = 4 and account_id = {OF_AMARA}", "chain", "(1/USD/available)"),
    (f"update ledger.entry set amount = -1 where txn_id = 4 and account_id = {OF_AMARA}", "sum", "transaction 4"),
    ("update ledger.entry set amount = amount * 2 where txn_id = 6", "fingerprint", "transaction 6"),
    (f"delete from ledger.entry where txn_id = 4 and account_id = {FEES}", "sum", "transaction 4"),
    ("delete from ledger.entry where txn_id = 6", "without entries", "transaction 6"),
    ("delete from ledger.txn where id = 6", "orphan", "transaction 6"),
    ("update ledger.txn set meta = '{}' where id = 5", "fingerprint", "transaction 5"),
    ("update ledger.txn set is_hold = false where id = 5", "fingerprint", "transaction 5"),
    ("update ledger.txn set resolves_id = 5 where id = 6", "held", "transaction 5 holds 2000"),
    ("update ledger.seal set sealed_at = now() where id = 2", "seal", "seal 2 was changed"),
    ("delete from ledger.seal", "seal", "seal 1 was proven before, and is gone"),
    ("update ledger.proof set upto_txn = 99", "proof", "reaches up to transaction 99"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "found_by", "named"), FOUND)
def test_what_is_wrong_with_what_is_new_or_kept_ready_is_found(copy, statement, found_by, named):
    copy.tamper(statement)
    for _ in range(2):  # it stays wrong until somebody has mended it
        report = quick(copy)
        assert report.verdict == "wrong"
        assert [each for each in report.differences if each.check == found_by and named in each.told], (
            report.differences
        )


UNSEEN = [
    "update ledger.txn set kind = 'other' where id = 2",
    f"update ledger.entry set amount = amount + 1 where txn_id = 3 and account_id = {FEES}",
    "update ledger.txn set created_at = now() where id = 5",
]


@pytest.mark.parametrize("statement", UNSEEN)
def test_what_was_changed_in_rows_that_it_has_seen_is_left_to_the_full_check(copy, statement):
    copy.tamper(statement)
    assert quick(copy).verdict == "proven"
    with copy.session() as session:
        assert check.run(session, keys=KEYS).verdict == "wrong"


def test_nothing_is_noted_as_proven_while_anything_is_wrong(copy):
    copy.tamper("update ledger.txn set meta = '{}' where id = 5")
    with copy.session() as session:
        noted = "select max(upto_txn), count(*) from ledger.proof"
        before = session.execute(text(noted)).one()
        assert check.run_quick(session, keys=KEYS).verdict == "wrong"
        assert session.execute(text(noted)).one() == before


def test_it_is_right_while_others_post_and_another_checks(scratch):
    bank = Bank(scratch.engine)
    bank.pay_in(1, usd("100.00"))

    def post() -> None:
        for _ in range(30):
            bank.send(1, 2, usd("0.10"))

    outcomes = race([post, post, *[lambda: [quick(scratch).verdict for _ in range(5)]] * 2])
    assert outcomes == [None, None, ["proven"] * 5, ["proven"] * 5]
    assert quick(scratch).verdict == "proven"
    assert quick(scratch).entries == 0


def test_the_command_tells_what_is_new(copy):
    app = create_app(load_settings(copy.environ))
    runner = app.test_cli_runner()
    told = runner.invoke(args=["ledger", "check"])
    assert told.exit_code == 0
    assert (
        "Read 7 new entries, 6 accounts, 3 new transactions, 1 new seals.\nProven: what came since"
        in told.output
    )
    with app.app_context():
        db.engine.dispose()
