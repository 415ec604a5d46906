"""A house account's balance is its last roll-up and what came later: exact at any moment."""

from __future__ import annotations

import subprocess
import threading

import pytest
from sqlalchemy import text

from advancia import audit, ledger
from advancia.core.context import Actor
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available, check, clearing, horizon, house, seals
from advancia.ops.dev.postgres import SUPERUSER, binary
from tests.conftest import SEAL_SECRET
from tests.ledger.conftest import Bank, race
from tests.support.servers import eventually

USD = asset("USD")
KEYS = (("test", bytes.fromhex(SEAL_SECRET)),)


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def of_house(scratch, key=clearing("sandbox")) -> Money:  # noqa: B008 - a constant
    with scratch.session() as session:
        return ledger.balance(session, key, USD)


def roll_up(scratch, least: int = 1) -> int:
    with scratch.session() as session:
        return horizon.roll_up(session, least=least)


def test_the_balance_is_the_same_before_and_after_a_roll_up_and_goes_on_from_it(scratch):
    bank = Bank(scratch.engine)
    assert of_house(scratch) == usd("0")
    bank.pay_in(1, usd("10.00"))
    assert of_house(scratch) == -usd("10.00")
    assert roll_up(scratch) == 1
    assert of_house(scratch) == -usd("10.00")
    bank.pay_in(2, usd("5.00"))
    bank.post(Posting(available(1), house("fees"), usd("1.00")))
    assert (of_house(scratch), of_house(scratch, house("fees"))) == (-usd("15.00"), usd("1.00"))
    assert roll_up(scratch) == 2
    assert (of_house(scratch), of_house(scratch, house("fees"))) == (-usd("15.00"), usd("1.00"))


def test_an_account_is_rolled_up_only_when_there_is_enough_new(scratch):
    bank = Bank(scratch.engine)
    assert roll_up(scratch) == 0
    bank.pay_in(1, usd("1.00"))
    bank.pay_in(1, usd("1.00"))
    assert roll_up(scratch, least=3) == 0
    assert roll_up(scratch, least=2) == 1
    assert roll_up(scratch, least=0) == 0


def test_balances_are_exact_under_load(scratch):
    """Rolling up, posting and reading at once: what the house paid is what customers have, in every reading."""
    bank = Bank(scratch.engine)
    done = threading.Event()

    def work(turn: int) -> None:
        for step in range(30):
            bank.pay_in(1 + (turn + step) % 4, usd("0.37"))

    def sum_up() -> int:
        turns = 0
        while not done.is_set():
            turns += roll_up(scratch)
        return turns

    def read() -> int:
        wrong = 0
        with scratch.session() as session:
            while not done.is_set():
                of_customers = "select coalesce(sum(balance), 0) from ledger.account where holder <> 0"
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                theirs = Money(int(session.scalar(text(of_customers)) or 0), USD)
                wrong += ledger.balance(session, clearing("sandbox"), USD) != -theirs
                session.rollback()
        return wrong

    def work_all() -> list[object]:
        try:
            return race([lambda turn=turn: work(turn) for turn in range(8)])
        finally:
            done.set()

    rolled_up, _, wrong, worked = race([sum_up, sum_up, read, work_all])
    assert worked == [None] * 8
    assert wrong == 0
    # A transaction in another database of the server may have held the horizon all that time.
    eventually(lambda: rolled_up or roll_up(scratch), "something is rolled up")
    assert of_house(scratch) == -usd("88.80")
    with scratch.session() as session:
        assert check.run(session).verdict == "proven"


def test_a_customers_account_is_never_rolled_up(scratch):
    Bank(scratch.engine).pay_in(1, usd("1.00"))
    assert roll_up(scratch) == 1
    with scratch.session() as session:
        assert session.scalars(
            text("select holder from ledger.account a join ledger.rollup r on r.account_id = a.id")
        ).all() == [0]


@pytest.fixture
def restored(servers, scratch, scratch_of):
    """A dump of `scratch`, made and put into a new database by the server's own tools."""

    def restore():
        url = servers.postgres.url(SUPERUSER, scratch.name)
        file = servers.folder / f"{scratch.name}.dump"
        subprocess.run([binary("pg_dump"), "-Fc", "-f", file, url], check=True, timeout=60)
        there = scratch_of()
        there.engine.dispose()
        target = servers.postgres.url(SUPERUSER, there.name)
        subprocess.run(
            [binary("pg_restore"), "--clean", "--if-exists", "--exit-on-error", "-d", target, file],
            check=True,
            timeout=60,
        )
        return there

    return restore


def test_after_dump_and_restore_everything_goes_on(scratch, restored):
    bank = Bank(scratch.engine)
    for user in range(1, 6):
        bank.pay_in(user, usd("10.00"))
    roll_up(scratch)
    with scratch.session() as session:
        audit.record(session, Actor(1, "admin", None, None), action="test", kind="test", id=1)
        session.commit()
        assert [each.id for each in seals.seal(session, KEYS)] == [1]
    bank.pay_in(6, usd("10.00"))

    there = restored()
    bank = Bank(there.engine)
    assert of_house(there) == -usd("60.00")
    bank.pay_in(7, usd("10.00"))
    assert roll_up(there) == 1
    assert of_house(there) == -usd("70.00")
    with there.session() as session:
        assert [each.id for each in seals.seal(session, KEYS)] == [2]
        report = check.run(session, keys=KEYS)
    assert (report.verdict, report.seals, report.unsealed) == ("proven", 2, 0)
