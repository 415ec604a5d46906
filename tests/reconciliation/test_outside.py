"""The books of both providers against ours, over real HTTP: what agrees, and each way in which it may not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.payments.strays import services as strays
from advancia.providers.cryptomus import SANDBOX
from advancia.providers.sandbox.faults import Fault
from advancia.reconciliation import runs
from advancia.reconciliation.asking import Cards
from advancia.reconciliation.outside import Books
from advancia.reconciliation.runs import Window
from tests.reconciliation.house import usd
from tests.reconciliation.trade import LATER, found, look


def test_a_day_of_trade_agrees(trade):
    payment = trade.pay()
    trade.refund(payment, "20.00")
    trade.refund(trade.pay(), "100.00", fails=True)
    for end in (None, "won", "lost"):
        trade.dispute(trade.pay("30.00"), ends=end)
    trade.pay_out("10.00")
    trade.pay_coins()
    trade.give_back(trade.pay_coins())
    trade.pay(outcome="decline")
    stray = trade.pay_elsewhere(20_00, "usd")
    for each in (stray, trade.pay_elsewhere(20_00, "usd"), trade.pay_elsewhere(5_00, "eur")):
        trade.hear(each)
    trade.refund(stray, "20.00")

    run = look(trade)

    assert found(run) == []
    assert (run.state, [*run.alarms]) == ("matched", [])
    [coins] = [each for each in run.checks if (each.provider, each.check) == (SANDBOX, "payments")]
    assert (coins.compared, coins.matched) == (2, 2)  # also what was given back as a whole


def unbooked(trade, amount="10.00", code="USD", **more):
    """A payment that our books have from nowhere."""
    money = Money.of(amount, code)
    return trade.house.payment_of(trade.house.pay_in(trade.person, money, **more))


def deposit_of(payment):
    return db.session.scalar(text("select id from deposit where payment_id = :payment"), {"payment": payment})


def twice_booked(trade):
    payment = trade.pay()
    trade.house.do(
        lambda session: strays.put_aside(
            session, provider="sandbox", payment_id=payment, amount=usd("100.00"), words="", reason="Twice"
        )
    )
    return payment


def altered(trade, payment, **changes):
    trade.alter(payment, **changes)
    return payment


def copied(trade, name):
    trade.copy(name)
    return name


def expired_here(trade):
    payment = trade.pay(told=False)
    with unit_of_work() as session:
        session.execute(
            text(
                "update deposit set state = 'expired' "
                "where id = (select id from deposit where provider = 'sandbox' order by created_at desc limit 1)"
            )
        )
    return payment


def won_here_alone(trade):
    payment = trade.pay("30.00")
    dispute = trade.dispute(payment)
    trade.house.dispute(payment, usd("30.00"), "won", again=dispute)
    return dispute


def other_coins(trade, **changes):
    invoice = trade.pay_coins()
    trade.alter_invoice(invoice, **changes)
    return invoice


def rolled_back(trade):
    payment = trade.pay()
    trade.house.roll_back(f"deposit:{deposit_of(payment)}")
    return payment


def refund_unknown_there(trade):
    return trade.house.refund(trade.pay(), usd("5.00"))


def refund_failed_there_alone(trade):
    refund = trade.refund(trade.pay(), "7.00")
    trade.server.cards.refunds.bounce(refund)
    return refund


# What is planted, by what a run has to call it.
PLANTED = {
    "a payment that nobody told us of": ("missing_here", "payments", lambda trade: trade.pay(told=False)),
    "a payment from nowhere": ("missing_there", "payments", unbooked),
    "a payment of another amount": ("amount", "payments", lambda t: altered(t, t.pay(), amount=90_00)),
    "a payment with another fee": ("fee", "payments", lambda t: altered(t, t.pay(), fee=4_20)),
    "a payment in another currency": ("currency", "payments", lambda t: altered(t, t.pay(), currency="eur")),
    "a payment booked twice here": ("duplicate", "payments", twice_booked),
    "a payment twice there": ("duplicate", "payments", lambda t: copied(t, t.pay())),
    "a payment for a deposit that has expired here": ("state", "payments", expired_here),
    "a payment rolled back here": ("state", "payments", rolled_back),
    "money in a currency that we do not keep": (
        "currency", "payments", lambda t: t.pay_elsewhere(500, "eur"),
    ),
    "a refund made there alone": ("missing_here", "refunds", lambda t: t.refund(t.pay(), "9.00", told=False)),
    "a refund here alone": ("missing_there", "refunds", refund_unknown_there),
    "a refund of another amount": ("amount", "refunds", lambda t: altered(t, t.refund(t.pay(), "9.00"), amount=-8_00)),
    "a refund that failed there alone": ("missing_here", "refunds", refund_failed_there_alone),
    "a refund twice there": ("duplicate", "refunds", lambda t: copied(t, t.refund(t.pay(), "3.00"))),
    "a dispute there alone": ("missing_here", "disputes", lambda t: t.dispute(t.pay(), told=False)),
    "a dispute of another amount": (
        "amount", "disputes", lambda t: altered(t, t.dispute(t.pay(), ends="lost"), amount=-50_00),
    ),
    "a dispute with another fee": ("fee", "disputes", lambda t: altered(t, t.dispute(t.pay(), ends="lost"), fee=20_00)),
    "a dispute won here alone": ("missing_there", "disputes", won_here_alone),
    "a payout there alone": ("missing_here", "payouts", lambda t: t.pay_out("4.00", told=False)),
    "a payout here alone": ("missing_there", "payouts", lambda t: t.house.payout(usd("6.00"))),
    "a payout of another amount": ("amount", "payouts", lambda t: altered(t, t.pay_out("5.00"), amount=-4_00)),
    "a fee of the provider's own": ("missing_here", "fees", lambda t: t.line(-2_00)),
    "a line of a sort that nobody knows": ("missing_here", "fees", lambda t: t.line(-1_00, kind="new_thing")),
    "coins that nobody told us of": ("missing_here", "payments", lambda t: t.pay_coins(told=False)),
    "coins of another amount": ("amount", "payments", lambda t: other_coins(t, payment_amount="0.00900000")),
    "coins with another fee": ("fee", "payments", lambda t: other_coins(t, commission="0.00020000")),
    "another coin": ("currency", "payments", lambda t: other_coins(t, payer_currency="ETH")),
    "coins that did not come there": ("state", "payments", lambda t: other_coins(t, payment_status="cancel")),
    "coins given back there alone": ("state", "payments", lambda t: other_coins(t, payment_status="refund_paid")),
    "coins from nowhere": (
        "missing_there", "payments", lambda t: unbooked(t, amount="0.001", provider="sandbox_crypto", code="BTC"),
    ),
}  # fmt: skip


def test_everything_that_is_planted_is_found_and_nothing_else(trade):
    for _ in range(3):
        trade.refund(trade.pay(), "1.00")
        trade.pay_coins()
    planted = {name: (kind, check, plant(trade)) for name, (kind, check, plant) in PLANTED.items()}

    run = look(trade)

    there = {each[:3] for each in found(run)}
    assert {name: each for name, each in planted.items() if each not in there} == {}
    assert there - set(planted.values()) == set()
    assert run.state == "differs"


def test_what_lies_there_is_weighed_with_all_that_is_known_to_differ(trade):
    trade.pay()
    trade.pay(told=False)
    trade.line(-7_00, days_ago=60)

    run = look(trade)
    [_known, weighed] = found(run)

    assert weighed[:3] == ("balance", "balance", None)
    assert weighed[3] == (
        "At the sandbox lies 186.60 USD. By our books, and with all that is known to differ, it should be 193.60 USD."
    )


def test_what_is_young_may_be_on_one_side_alone_until_it_is_not_young_any_more(trade):
    trade.pay()
    there, here = trade.pay(told=False), unbooked(trade)

    assert {each[0:3:2] for each in found(look(trade, clock=utcnow))} == {("timing", there), ("timing", here)}
    assert {each[0:3:2] for each in found(look(trade))} == {("missing_here", there), ("missing_there", here)}


def test_what_was_under_way_passes_by_itself(trade):
    trade.pay()
    payment = trade.pay(told=False)
    assert look(trade, clock=utcnow).state == "matched"  # what is under way does not differ yet
    trade.hear(payment)
    run = look(trade)

    assert (run.state, found(run)) == ("matched", [])
    assert trade.states() == ["passed"]


def test_what_happened_there_long_before_we_heard_of_it_is_asked_about(trade):
    trade.pay()
    trade.clock.ahead = timedelta(days=-20)
    payment = trade.pay(told=False)
    trade.clock.ahead = timedelta()
    trade.hear(payment)
    run = look(trade)

    assert (run.state, found(run)) == ("matched", [])


def test_a_dispute_is_not_forgotten_while_it_is_open_and_compared_once_it_is_closed(trade):
    trade.pay()
    trade.clock.ahead = timedelta(days=-20)
    payment = trade.pay(told=False)
    dispute = trade.server.cards.disputes.open(payment)["id"]
    trade.clock.ahead = timedelta()
    trade.hear(payment)
    assert look(trade).state == "matched"
    trade.server.cards.disputes.close(dispute, won=False)
    trade.hear(payment)
    assert look(trade).state == "matched"
    trade.alter(dispute, fee=16_00)

    assert [each[:3] for each in found(look(trade))] == [("fee", "disputes", dispute)]


def test_a_payout_is_under_way_for_days(trade):
    trade.pay()
    payout = trade.pay_out("10.00", told=False)
    trade.server.remember([trade.server._store.object(payout) | {"status": "in_transit"}])
    run = look(trade)

    assert (run.state, [each[:3] for each in found(run)]) == ("matched", [("timing", "payouts", payout)])
    assert "under way to our books." in found(run)[0][3]
    [counted] = [each for each in run.checks if each.check == "payouts"]
    assert (counted.compared, counted.matched, counted.in_flight) == (1, 0, 1)
    later = look(trade, clock=lambda: utcnow() + timedelta(hours=49))
    assert found(later)[0][3].endswith("has been under way to our books for 2 days.")


def test_a_correction_by_posting_counts_as_what_it_puts_right(trade):
    trade.pay()
    payment = trade.pay(told=False)
    assert look(trade).state == "differs"
    trade.put_right(payment)
    assert look(trade).state == "matched"


def test_a_payout_that_is_put_right_has_come_to_the_bank_as_others_have(trade):
    trade.pay()
    payout = trade.pay_out("4.00", told=False)
    assert look(trade).state == "differs"
    trade.put_right(payout)
    assert look(trade).state == "matched"


def test_an_explanation_without_a_posting_holds_as_long_as_nothing_changes(trade):
    trade.pay()
    trade.line(-2_00, days_ago=60)
    assert look(trade).state == "differs"
    trade.explain()
    assert look(trade).state == "matched"
    trade.line(-1_00, days_ago=60)
    assert look(trade).state == "differs"


def test_an_empty_side_is_an_alarm(trade):
    trade.pay_elsewhere(500, "usd")
    assert "Our books have nothing at the sandbox, which tells of 1 thing" in " ".join(look(trade).alarms)


def test_a_provider_that_tells_of_nothing_is_an_alarm(trade):
    unbooked(trade)
    run = look(trade)

    assert run.state == "alarm"
    assert "The sandbox tells of nothing at all, and our books of 1 thing" in " ".join(run.alarms)


def test_a_provider_that_cannot_be_asked_is_an_alarm(trade):
    trade.pay()
    trade.server.fail_next(Fault.UNAVAILABLE, times=9)
    run = look(trade)

    assert run.state == "alarm"
    assert "could not be read to their end, so nothing is proven" in " ".join(run.alarms)


class Dying:
    """Cards that are asked by a process which dies before it has written down its second page."""

    def __init__(self, cards) -> None:
        self.cards, self.provider, self.words = cards, cards.provider, cards.words
        self.listed_before, self.not_compared = cards.listed_before, cards.not_compared
        self.cursors = []
        self.dies = True

    def page(self, *, since, until, cursor):
        self.cursors.append(cursor)
        if self.dies and cursor is not None:
            raise SystemExit
        return self.cards.page(since=since, until=until, cursor=cursor)

    def about(self, what, ref):
        return self.cards.about(what, ref)

    def balance(self):
        return None


def test_a_run_that_was_killed_goes_on_with_the_page_that_it_was_at(trade):
    names = {trade.line(-1) for _ in range(250)}
    now = utcnow()
    with unit_of_work() as session:
        run_id = runs.begin(session, kind="nightly", window=Window(now - timedelta(days=1), now + LATER))
    dying = Dying(Cards(trade.card))
    with pytest.raises(SystemExit):
        Books(dying).collect(run_id)
    dying.dies = False
    Books(dying).collect(run_id)

    assert [each is None for each in dying.cursors] == [True, False, False, False]
    assert dying.cursors[1] == dying.cursors[2]
    kept = db.session.scalars(
        text("select ref from reconciliation_item where run_id = :run_id"), {"run_id": run_id}
    )
    assert set(kept) == names


def test_no_transaction_is_open_while_a_provider_is_asked(trade):
    trade.pay()
    asked = []

    class Looking(Dying):
        def page(self, **more):
            asked.append(db.session().in_transaction())
            return self.cards.page(**more)

    now = utcnow()
    with unit_of_work() as session:
        run_id = runs.begin(session, kind="nightly", window=Window(now - timedelta(days=1), now + LATER))
    Books(Looking(Cards(trade.card))).collect(run_id)

    assert asked == [False]
