"""Balances at a time, and statements between two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.core.money import Money, asset
from advancia.ledger import Posting, available, clearing, horizon, house
from tests.ledger.conftest import race

USD = asset("USD")
MOMENT = timedelta(microseconds=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def at(bank, key, when: datetime) -> Money:
    with bank.session() as session:
        return ledger.balance_at(session, key, USD, when)


def statement(
    bank, key, since: datetime, until: datetime
) -> tuple[Money, list[ledger.StatementEntry], Money]:
    with bank.session() as session:
        told = ledger.statement_of(session, key, USD, since, until)
        return told.opening, list(told.entries), told.closing


def posted_at(bank, posted: ledger.Posted) -> datetime:
    with bank.session() as session:
        return session.scalar(text("select created_at from ledger.txn where id = :id"), {"id": posted.txn_id})


@pytest.fixture
def days(bank, new_user_id):
    """A customer to whom 1.00, 2.00 and 4.00 were paid and who paid a fee of 0.50; and when."""
    user = new_user_id()
    posted = [bank.pay_in(user, usd(amount)) for amount in ("1.00", "2.00", "4.00")]
    posted.append(bank.post(Posting(available(user), house("fees"), usd("0.50")), kind="fee"))
    return user, [posted_at(bank, each) for each in posted]


def test_a_customers_balance_is_that_of_the_last_entry_until_then(bank, days):
    user, times = days
    key = available(user)
    assert at(bank, key, LONG_AGO) == usd("0")
    assert at(bank, key, times[0] - MOMENT) == usd("0")
    assert at(bank, key, times[0]) == usd("1.00")
    assert at(bank, key, times[1] - MOMENT) == usd("1.00")
    assert at(bank, key, times[2]) == usd("7.00")
    assert at(bank, key, FAR) == usd("6.50")


def test_a_house_accounts_balance_is_exact_at_any_time_rolled_up_or_not(bank, days):
    _, times = days
    moments = [LONG_AGO, *(time - MOMENT for time in times), *times, FAR]
    before = [at(bank, clearing("sandbox"), each) for each in moments]
    with bank.session() as session:
        horizon.roll_up(session, least=1)
        summed = [
            session.scalar(
                text(
                    "select coalesce(sum(e.amount), 0) from ledger.entry e join ledger.txn t on t.id = e.txn_id"
                    " join ledger.account a on a.id = e.account_id where a.holder = 0 and a.asset = 'USD'"
                    " and a.purpose = 'clearing.sandbox' and t.created_at <= :at"
                ),
                {"at": each},
            )
            for each in moments
        ]
    assert before == [at(bank, clearing("sandbox"), each) for each in moments]
    assert before == [Money(int(each), USD) for each in summed]


def test_an_account_that_was_never_opened_has_nothing_at_any_time(bank, new_user_id):
    user = new_user_id()
    assert at(bank, available(user), FAR) == usd("0")
    assert statement(bank, available(user), LONG_AGO, FAR) == (usd("0"), [], usd("0"))


def test_a_statement_tells_both_ends_and_everything_in_between(bank, days):
    user, times = days
    opening, entries, closing = statement(bank, available(user), times[1], times[3])
    assert (opening, closing) == (usd("1.00"), usd("7.00"))
    assert [(each.amount, each.balance) for each in entries] == [
        (usd("2.00"), usd("3.00")),
        (usd("4.00"), usd("7.00")),
    ]
    assert [each.created_at for each in entries] == times[1:3]
    assert entries[0].kind == "deposit"


def test_adjoining_statements_join_without_gap_or_overlap(bank, days):
    user, times = days
    for key in (available(user), clearing("sandbox"), house("fees")):
        whole = statement(bank, key, times[0], times[3] + MOMENT)
        parts = [
            statement(bank, key, a, b) for a, b in zip(times, [*times[1:], times[3] + MOMENT], strict=True)
        ]
        assert [entry for _, entries, _ in parts for entry in entries] == whole[1]
        assert [opening for opening, _, _ in parts[1:]] == [closing for _, _, closing in parts[:-1]]
        assert (parts[0][0], parts[-1][2]) == (whole[0], whole[2])
        assert sum((entry.amount for entry in whole[1]), whole[0]) == whole[2]


def test_a_statement_that_ends_before_it_begins_is_a_mistake_of_ours(bank, days):
    user, times = days
    with pytest.raises(ValueError, match="ends after"):
        statement(bank, available(user), times[1], times[0])


def test_a_statement_is_of_one_moment_however_long_it_is_read(bank, new_user_id):
    user = new_user_id()
    for _ in range(5):
        bank.pay_in(user, usd("1.00"))
    with bank.session() as session:
        told = ledger.statement_of(session, clearing("sandbox"), USD, LONG_AGO, FAR)
        bank.pay_in(user, usd("1.00"))
        assert sum((each.amount for each in told.entries), told.opening) == told.closing


def test_an_effective_date_is_told_and_moves_no_balance(bank, new_user_id):
    user = new_user_id()
    now = posted_at(bank, bank.pay_in(user, usd("1.00")))
    last_year = now - timedelta(days=365)
    bank.pay_in(user, usd("2.00"), effective_at=last_year)
    assert at(bank, available(user), last_year + timedelta(days=1)) == usd("0")
    _, entries, _ = statement(bank, available(user), now, FAR)
    assert [each.effective_at for each in entries] == [now, last_year]
    assert statement(bank, available(user), LONG_AGO, now)[1:] == ([], usd("0"))


def test_times_rise_with_ids_within_a_customers_account(bank, new_user_id):
    user = new_user_id()
    race([lambda: [bank.pay_in(user, usd("1.00"), reference=f"rise:{uuid4()}") for _ in range(10)]] * 10)
    with bank.session() as session:
        times = session.scalars(
            text(
                "select t.created_at from ledger.entry e join ledger.txn t on t.id = e.txn_id"
                " join ledger.account a on a.id = e.account_id where a.holder = :holder order by e.txn_id"
            ),
            {"holder": user},
        ).all()
    assert len(times) == 100
    assert times == sorted(times)
