from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.money import ASSETS, MINUS, Money, asset
from advancia.ledger import Posting, available, clearing, house
from advancia.ledger.queries import _entries_sql
from tests.conftest import _ids

USD, BTC = asset("USD"), asset("BTC")


def usd(text: str) -> Money:
    return Money.of(text, "USD")


@pytest.fixture
def amara(bank, new_user_id) -> int:
    """Seven entries, the newest first: a swap (two), a hold, a transfer in, a transfer out, two deposits."""
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("100.00"))
    bank.pay_in(amara, Money(5, BTC))
    bank.send(amara, bilal, usd("30.00"), meta={"note": "rent"})
    bank.send(bilal, amara, usd("10.00"))
    bank.do(ledger.hold, reference=f"hold:{amara}", kind="hold", user_id=amara, amount=usd("20.00"))
    bank.post(
        Posting(available(amara), house("treasury"), usd("6.00")),
        Posting(house("treasury"), available(amara), Money(7, BTC)),
        kind="swap",
    )
    return amara


def lines(bank, user_id, **asked):
    with bank.session() as session:
        return ledger.entries_of(session, user_id, **{"limit": 100, **asked})


def test_history_runs_over_all_assets_newest_first_with_the_balance_after_each(bank, amara):
    history = [(line.kind, str(line.amount), str(line.balance_after)) for line in lines(bank, amara)]
    swapped = {("swap", f"{MINUS}6.00 USD", "54.00 USD"), ("swap", "0.00000007 BTC", "0.00000012 BTC")}
    assert set(history[:2]) == swapped
    assert history[2:] == [
        ("hold", f"{MINUS}20.00 USD", "60.00 USD"),
        ("transfer", "10.00 USD", "80.00 USD"),
        ("transfer", f"{MINUS}30.00 USD", "70.00 USD"),
        ("deposit", "0.00000005 BTC", "0.00000005 BTC"),
        ("deposit", "100.00 USD", "100.00 USD"),
    ]


def test_a_line_tells_the_other_customer_and_what_was_noted(bank, amara):
    by_kind = {(line.kind, line.amount.minor): line for line in lines(bank, amara)}
    assert by_kind["transfer", -3000].counterparty == amara + 1
    assert by_kind["transfer", 1000].counterparty == amara + 1
    assert by_kind["transfer", -3000].meta == {"note": "rent"}
    assert by_kind["deposit", 10000].counterparty is None
    assert by_kind["hold", -2000].counterparty is None


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_put_together_are_the_whole_history_once(bank, amara, size):
    whole = lines(bank, amara)
    together, before = [], None
    while page := lines(bank, amara, limit=size, before=before):
        assert len(page) <= size
        together += page
        before = page[-1].cursor
    assert together == whole
    assert all(newer.cursor > older.cursor for newer, older in pairwise(whole))


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ({"assets": ["BTC"]}, ["swap", "deposit"]),
        ({"assets": ["ETH"]}, []),
        ({"assets": []}, []),
        ({"kinds": ["hold", "deposit"]}, ["hold", "deposit", "deposit"]),
        ({"kinds": []}, []),
        ({"direction": "in"}, ["swap", "transfer", "deposit", "deposit"]),
        ({"direction": "out"}, ["swap", "hold", "transfer"]),
        ({"direction": "out", "assets": ["USD"], "kinds": ["transfer"]}, ["transfer"]),
        ({"limit": 2, "assets": ["USD"]}, ["swap", "hold"]),
    ],
    ids=str,
)
def test_filters(bank, amara, asked, kinds):
    assert [line.kind for line in lines(bank, amara, **asked)] == kinds


def test_dates_include_the_first_moment_and_not_the_last(bank, amara):
    whole = lines(bank, amara)
    third = whole[3].created_at
    assert [line for line in whole if line.created_at >= third] == lines(bank, amara, since=third)
    assert [line for line in whole if line.created_at < third] == lines(bank, amara, until=third)
    now = utcnow()
    assert lines(bank, amara, since=now - timedelta(days=1), until=now + timedelta(days=1)) == whole
    assert lines(bank, amara, since=now + timedelta(days=1)) == []
    assert lines(bank, amara, until=now - timedelta(days=1)) == []


def test_nobody_sees_another_ones_history(bank, amara, new_user_id):
    assert lines(bank, new_user_id()) == []
    assert {line.kind for line in lines(bank, amara + 1)} == {"transfer"}


def test_the_first_id_of_a_time_is_found(bank, app_connection, new_user_id):
    user = new_user_id()
    ids = [bank.pay_in(user, usd("1.00")).txn_id for _ in range(5)]
    times = dict(
        app_connection.execute("select id, created_at from ledger.txn where id = any(%s)", (ids,)).fetchall()
    )
    for txn_id in ids:
        assert app_connection.execute("select ledger.txn_id_at(%s)", (times[txn_id],)).fetchone() == (txn_id,)
    (newest,) = app_connection.execute("select max(id) from ledger.txn").fetchone()
    assert app_connection.execute("select ledger.txn_id_at(now() + interval '1 day')").fetchone() == (
        newest + 1,
    )
    assert app_connection.execute("select ledger.txn_id_at('2000-01-01')").fetchone()[0] <= ids[0]


LONG = """
    do $$ begin
      for i in 1..12000 loop
        perform ledger.post('long:{user}:' || i, 'test', array[0, {user}], '{{USD,USD}}',
                            '{{clearing.sandbox,available}}', '{{-1,1}}');
        commit;
      end loop;
    end $$
"""


@pytest.fixture(scope="module")
def long_history(settings) -> int:
    """A customer with many entries, in tables whose statistics are up to date."""
    user = next(_ids)
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(LONG.format(user=user))
    with psycopg.connect(settings.database_owner_url, autocommit=True) as connection:
        connection.execute("analyze ledger.account, ledger.txn, ledger.entry")
    return user


@pytest.mark.parametrize(
    "filters", [(), ("before_txn",), ("before_txn", "kinds", "since", "until", "in", "assets")]
)
def test_deep_in_a_long_history_a_page_reads_a_page(bank, long_history, filters):
    """A page must touch about as many blocks as it has lines, not as the history has."""
    with bank.session() as session:
        middle = ledger.transaction(session, f"long:{long_history}:6000")
        assert middle is not None
        values = {
            "holder": long_history,
            "limit": 25,
            "before_txn": middle.id,
            "before_account": 0,
            "kinds": ["test"],
            "assets": ["USD"],
            "since": utcnow() - timedelta(days=1),
            "until": utcnow() + timedelta(days=1),
        }
        statement = _entries_sql(frozenset(filters))
        rows = session.execute(statement, values).all()
        plan = plan_of(session, statement, values)
        whole = plan_of(session, statement, {**values, "limit": 12_000})
    assert len(rows) == 25
    read = [node for node in nodes(plan) if node.get("Relation Name") in ("entry", "txn")]
    assert read
    assert all(node["Node Type"].startswith("Index") for node in read)
    assert blocks(plan) * 20 < blocks(whole)


def plan_of(session, statement, values):
    (plan,) = session.execute(
        text(f"explain (analyze, buffers, format json) {statement.text}"), values
    ).scalar_one()
    return plan["Plan"]


def blocks(plan):
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def test_balances_name_every_asset_also_the_never_opened(bank, amara, new_user_id):
    with bank.session() as session:
        holdings = {each.asset.code: each for each in ledger.balances_of(session, amara)}
        untouched = ledger.balances_of(session, new_user_id())
    assert list(holdings) == list(ASSETS)
    assert holdings["USD"].available == usd("54.00")
    assert holdings["USD"].held == usd("20.00")
    assert holdings["USD"].total == usd("74.00")
    assert holdings["BTC"].total == Money(12, BTC)
    assert [each.asset.code for each in untouched] == list(ASSETS)
    assert not any(each.total for each in untouched)


def test_a_house_accounts_balance_is_the_sum_of_its_entries(bank, new_user_id):
    def at_cryptomus() -> Money:
        with bank.session() as session:
            return ledger.balance(session, clearing("cryptomus"), USD)

    before = at_cryptomus()
    bank.post(Posting(clearing("cryptomus"), available(new_user_id()), usd("3.00")))
    assert at_cryptomus() == before - usd("3.00")


def test_the_version_rises_with_every_entry_and_only_then(bank, new_user_id):
    def version(user_id: int) -> int:
        with bank.session() as session:
            return ledger.version_of(session, user_id)

    amara, bilal = new_user_id(), new_user_id()
    assert version(amara) == 0
    bank.pay_in(amara, usd("5.00"))
    assert version(amara) == 1
    bank.do(ledger.hold, reference=f"hold:{amara}", kind="hold", user_id=amara, amount=usd("1.00"))
    assert version(amara) == 3
    with pytest.raises(ledger.InsufficientFunds):
        bank.send(amara, bilal, usd("9.00"))
    bank.pay_in(bilal, usd("5.00"))
    assert version(amara) == 3
