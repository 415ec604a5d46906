"""Payouts of coins at the provider, which the product books none of, over real HTTP; and what cannot be weighed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from advancia.core import alarms
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.providers.cryptomus import SANDBOX, SANDBOX_MERCHANT, CryptoGateway
from advancia.reconciliation import runs
from advancia.reconciliation.asking import Cards, Coins
from advancia.reconciliation.outside import Books
from advancia.reconciliation.runs import Window
from advancia.reconciliation.weighing import UNWEIGHED
from tests.reconciliation.provider import reconcile
from tests.reconciliation.trade import LATER, SECRET, found, look


def remarks(run):
    return {(each.provider, each.check): each.remark for each in run.checks if each.remark}


def test_a_payout_of_coins_that_nobody_booked_is_found_until_it_is_put_right(trade):
    trade.pay()
    trade.pay_coins("0.05")
    payout = trade.pay_out_coins("0.02")
    run = look(trade)

    assert [each[:3] for each in found(run)] == [("missing_here", "payouts", payout)]
    assert found(run)[0][3].endswith("0.02000000 BTC at the sandbox is not in our books.")
    trade.put_right(payout)
    run = look(trade)
    assert (run.state, found(run)) == ("matched", [])


@pytest.mark.parametrize(
    ("state", "is_final", "kinds"),
    [
        ("process", False, ["timing"]),
        ("fail", True, []),
        ("system_fail", True, []),
        ("cancel", True, []),
        ("fail", False, ["timing"]),
        ("cancel", False, ["timing"]),
    ],
)
def test_a_payout_that_has_not_left_is_nothing_or_under_way(trade, state, is_final, kinds):
    trade.pay()
    trade.pay_coins()
    trade.pay_out_coins("0.002", state=state, is_final=is_final)
    run = look(trade)

    assert (run.state, [each[0] for each in found(run)]) == ("matched", kinds)


def test_a_payout_called_cancelled_whose_transaction_is_on_the_network_has_left(trade):
    trade.pay()
    trade.pay_coins()
    payout = trade.pay_out_coins("0.002", state="cancel", txid="ab" * 32)

    assert [each[:3] for each in found(look(trade))] == [("missing_here", "payouts", payout)]


def test_a_payout_that_may_still_be_sent_passes_or_is_missing_once_it_is_known(trade):
    trade.pay()
    trade.pay_coins()
    given_up, sent = (trade.pay_out_coins("0.002", state="fail", is_final=False) for _ in range(2))
    assert look(trade).state == "matched"
    trade.server.payouts.become(given_up, "fail")
    trade.server.payouts.become(sent, "paid")
    run = look(trade)

    assert [each[:3] for each in found(run)] == [("missing_here", "payouts", sent)]
    assert sorted(trade.states()) == ["open", "passed"]


def test_what_was_put_right_and_comes_to_nothing_after_all_is_found(trade):
    trade.pay()
    trade.pay_coins()
    payout = trade.pay_out_coins("0.002", state="process")
    look(trade)
    trade.put_right(payout)
    assert found(look(trade)) == []
    trade.server.payouts.become(payout, "fail")

    assert [each[:3] for each in found(look(trade))] == [("state", "payouts", payout)]


def test_payouts_of_many_pages_are_all_compared(trade):
    trade.pay()
    for _ in range(17):
        trade.pay_coins("0.002")
    planted = {trade.pay_out_coins("0.0001") for _ in range(33)}
    run = look(trade)

    assert {each[2] for each in found(run)} == planted
    [counted] = [each for each in run.checks if (each.provider, each.check) == (SANDBOX, "payouts")]
    assert (counted.compared, counted.differing) == (33, 33)


def test_without_the_key_for_payouts_a_run_says_so_and_closes_nothing(trade):
    trade.pay()
    trade.pay_coins()
    trade.pay_out_coins("0.002")
    assert look(trade).state == "differs"
    trade.crypto = CryptoGateway(
        merchant=SANDBOX_MERCHANT, payment_key=SECRET, name=SANDBOX, api_base=trade.server.url
    )
    run = look(trade)

    assert "CRYPTOMUS_PAYOUT_KEY" in remarks(run)[SANDBOX, "payouts"]
    assert (run.state, trade.states()) == ("differs", ["open"])


def test_a_list_of_payouts_that_cannot_be_asked_is_an_alarm(trade):
    trade.pay()
    trade.pay_coins()
    trade.crypto = CryptoGateway(
        merchant=SANDBOX_MERCHANT, payment_key=SECRET, payout_key="another", name=SANDBOX, api_base=trade.server.url
    )  # fmt: skip
    run = look(trade)

    assert run.state == "alarm"
    assert "could not be read to their end, so nothing is proven" in " ".join(run.alarms)


def test_a_run_says_that_what_lies_at_the_coins_provider_is_not_compared(trade):
    trade.pay()
    trade.pay_coins()
    run = look(trade)

    assert run.state == "matched"
    assert [*remarks(run)] == [(SANDBOX, "balance")]
    assert "exchanged" in remarks(run)[SANDBOX, "balance"]


class Restless:
    """Cards at a provider where something moves each time that it is asked what lies there."""

    def __init__(self, trade) -> None:
        cards = Cards(trade.card)
        self.trade, self.provider, self.words = trade, cards.provider, cards.words
        self.listed_before, self.not_compared = cards.listed_before, cards.not_compared
        self.page, self.about, self._balance = cards.page, cards.about, cards.balance
        self.moves = True

    def balance(self):
        told = self._balance()
        if self.moves:
            self.trade.pay("10.00")
        return told


def weigh(trade, cards):
    now = utcnow()
    window = Window(now - timedelta(days=1), now + LATER)
    return reconcile(Books(cards), Books(Coins(trade.crypto)), window=window)


def test_what_never_lies_still_is_said_and_an_alarm_after_three_runs_until_it_is_weighed(trade):
    trade.pay()
    trade.pay_coins()
    cards = Restless(trade)
    first, second = weigh(trade, cards), weigh(trade, cards)

    assert "kept moving" in remarks(first)["sandbox", "balance"]
    assert UNWEIGHED not in standing()
    assert remarks(second).keys() == remarks(first).keys()
    weigh(trade, cards)
    assert UNWEIGHED in standing()
    cards.moves = False
    assert remarks(weigh(trade, cards)).keys() == {(SANDBOX, "balance")}
    assert UNWEIGHED not in standing()


def standing():
    found_now = alarms.standing(db.session())
    db.session.rollback()
    return found_now


def test_a_balance_that_was_not_weighed_closes_no_difference_of_one(trade):
    trade.pay()
    trade.pay_coins()
    trade.line(-7_00, days_ago=60)
    assert look(trade).state == "differs"
    cards = Restless(trade)

    assert weigh(trade, cards).state == "differs"
    assert trade.states() == ["open"]
    long_ago = utcnow() - timedelta(days=20)
    run = reconcile(Books(Cards(trade.card)), window=Window(long_ago - timedelta(days=1), long_ago))
    assert "has passed" in remarks(run)["sandbox", "balance"]
    assert trade.states() == ["open"]


def test_a_run_that_was_broken_off_in_the_payouts_goes_on_with_them(trade):
    names = {trade.pay_out_coins("0.0001") for _ in range(20)}
    trade.pay_coins()
    coins = Dying(Coins(trade.crypto))
    now = utcnow()
    with unit_of_work() as session:
        run_id = runs.begin(session, kind="nightly", window=Window(now - timedelta(days=1), now + LATER))
    with pytest.raises(SystemExit):
        Books(coins).collect(run_id)
    coins.dies = False
    Books(coins).collect(run_id)

    begins = [each and each.partition(":")[0] for each in coins.cursors]
    assert begins == [None, "payouts", "payouts", "payouts"]
    assert coins.cursors[2] == coins.cursors[3]
    kept = db.session.scalars(
        text("select ref from reconciliation_item where run_id = :run_id and what = 'payout'"),
        {"run_id": run_id},
    )
    assert sorted(kept) == sorted(names)


class Dying:
    """Coins that are asked by a process which dies before it has written down its second page of payouts."""

    def __init__(self, coins) -> None:
        self.coins, self.provider, self.words = coins, coins.provider, coins.words
        self.listed_before, self.not_compared = coins.listed_before, coins.not_compared
        self.about, self.balance = coins.about, coins.balance
        self.cursors, self.dies = [], True

    def page(self, *, since, until, cursor):
        self.cursors.append(cursor)
        if self.dies and len(self.cursors) > 2:
            raise SystemExit
        return self.coins.page(since=since, until=until, cursor=cursor)
