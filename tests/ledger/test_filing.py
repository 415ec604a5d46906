"""What is filed answers a filter as the entries do, however far the filing has come."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available, check, clearing, filing, house
from tests.ledger.conftest import Bank, race

USD = asset("USD")
AMARA, BILAL = 1, 2

BLOCKS = "explain (analyze, buffers, format json) select ledger.sifted(:account, :kinds, null, 0, :below, 25)"


def file(scratch, least: int = 1) -> int:
    with scratch.session() as session:
        return filing.file_entries(session, least=least)


def lines(scratch, **asked):
    with scratch.session() as session:
        return ledger.entries_of(session, AMARA, **{"limit": 1000, **asked})


def fitting(whole, kinds, direction, since, until):
    return [
        line
        for line in whole
        if (kinds is None or line.kind in kinds)
        and (direction is None or (line.amount.minor > 0) == (direction == "in"))
        and (since is None or line.created_at >= since)
        and (until is None or line.created_at < until)
    ]


def in_pages(scratch, size: int, **asked):
    together, before = [], None
    while page := lines(scratch, limit=size, before=before, **asked):
        assert len(page) <= size
        together += page
        before = page[-1].cursor
    return together


@pytest.fixture(scope="module")
def long(scratch_of):
    """A history of two assets and five kinds, filed in parts of different sizes, with some at the end that are not."""
    scratch, chance = scratch_of(), random.Random(7)
    bank = Bank(scratch.engine)
    bank.pay_in(BILAL, Money(10**9, USD))
    for number in range(460):
        one = Money(chance.randint(1, 9), chance.choice([USD, USD, USD, asset("BTC")]))
        match chance.randint(0, 9):
            case 0 | 1 | 2 if number > 30:
                bank.post(Posting(available(AMARA), house("fees"), Money(1, USD)), kind="fee")
            case 3 | 4:
                bank.send(BILAL, AMARA, Money(one.minor, USD))
            case _:
                bank.post(
                    Posting(clearing("sandbox"), available(AMARA), one), kind=f"deposit.{number // 230}"
                )
        if number in (3, 4, 90, 400):
            file(scratch)
    return scratch


@pytest.mark.parametrize("direction", [None, "in", "out"])
@pytest.mark.parametrize(
    "kinds", [None, ["fee"], ["deposit.0"], ["transfer", "fee"], ["never"], ["fee", "fee", "never"], []]
)
def test_every_filter_finds_what_fits_and_nothing_else(long, kinds, direction):
    whole = lines(long)
    assert len(whole) > 450
    moments = [None, whole[-1].created_at, whole[300].created_at, whole[20].created_at, whole[0].created_at]
    for since, until in product(moments, moments):
        asked = {"kinds": kinds, "direction": direction, "since": since, "until": until}
        assert lines(long, **asked) == fitting(whole, **asked)
        assert lines(long, limit=7, **asked) == fitting(whole, **asked)[:7]
    asked = {"kinds": kinds, "direction": direction, "since": None, "until": None}
    assert in_pages(long, 11, **asked) == fitting(whole, **asked)
    of_usd = [line for line in fitting(whole, **asked) if line.amount.asset == USD]
    assert lines(long, assets=["USD"], **asked) == of_usd
    assert in_pages(long, 30, assets=["USD"], **asked) == of_usd


def test_before_the_first_and_after_the_last_there_is_nothing(long):
    oldest, newest = lines(long)[-1].created_at, lines(long)[0].created_at
    assert lines(long, kinds=["fee"], until=oldest) == []
    assert lines(long, direction="in", since=newest + timedelta(seconds=1)) == []


def test_what_is_filed_is_proven(long):
    with long.session() as session:
        assert check.run(session).verdict == "proven"
        assert session.scalar(text("select sum(cardinality(txn_ids)) from ledger.filing")) > 400


def test_only_accounts_with_enough_new_entries_are_filed(scratch):
    bank = Bank(scratch.engine)
    for _ in range(3):
        bank.pay_in(AMARA, Money(1, USD))
    assert file(scratch, least=4) == 0
    assert file(scratch, least=3) == 3
    assert file(scratch, least=1) == 0
    bank.pay_in(AMARA, Money(1, USD))
    assert (file(scratch, least=2), file(scratch, least=1)) == (0, 1)


def test_while_many_post_nothing_is_left_out_and_of_two_filing_clerks_one_waits(scratch):
    bank = Bank(scratch.engine)

    def post() -> None:
        for _ in range(60):
            bank.pay_in(AMARA, Money(1, USD))

    def sort() -> int:
        return sum(file(scratch) for _ in range(30))

    outcomes = race([post, post, post, sort, sort])
    assert outcomes[:3] == [None] * 3
    assert outcomes[3] + outcomes[4] + file(scratch) == 180
    with scratch.session() as session:
        assert check.run(session).verdict == "proven"
    assert len(lines(scratch, kinds=["deposit"])) == 180


DEEP = """
    do $$ begin
      for i in 1..6000 loop
        perform ledger.post('deep:' || i, case when i = 10 then 'rare' else 'test' end, '{0,1}', '{USD,USD}',
                            '{clearing.sandbox,available}', '{-1,1}');
        commit;
      end loop;
    end $$
"""


def test_what_happened_once_long_ago_and_what_never_did_are_found_without_looking_through_everything(scratch):
    with scratch.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(DEEP)
    account = "(select id from ledger.account where holder = 1)"

    def read(session, kind: str) -> int:
        statement = BLOCKS.replace(":account", account)
        (plan,) = session.execute(text(statement), {"kinds": [kind], "below": 10**9}).scalar_one()
        return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])

    with scratch.session() as session:
        before = {kind: read(session, kind) for kind in ("rare", "never")}
    assert file(scratch) == 6000
    assert [line.reference for line in lines(scratch, kinds=["rare"])] == ["deep:10"]
    assert lines(scratch, kinds=["never"]) == []
    with scratch.session() as session:
        for kind, blocks in before.items():
            assert read(session, kind) * 20 < blocks
