"""Giving back what a customer got by a payment: in parts, and never more than came in."""

from __future__ import annotations

from uuid import uuid4

import pytest

from advancia import ledger
from advancia.core.money import MINUS, Money, asset
from advancia.ledger import (
    AlreadyReversed,
    InsufficientFunds,
    MalformedPosting,
    NoSuchTransaction,
    NotRefundable,
    Posted,
    Posting,
    ReferenceConflict,
    RefundTooLarge,
    available,
    clearing,
    held,
    house,
    receivable,
)
from tests.ledger.conftest import race

ZERO = "0.00"


def usd(text: str) -> Money:
    return Money.of(text, "USD")


@pytest.fixture
def amara(bank, new_user_id) -> int:
    """Has 100.00 USD by the transaction `in:<her id>`."""
    user_id = new_user_id()
    bank.pay_in(user_id, usd("100.00"), reference=f"in:{user_id}")
    return user_id


def refund(bank, user_id, amount, **more) -> Posted:
    words = {"transaction_reference": f"in:{user_id}", "reference": f"back:{user_id}"} | more
    return bank.do(ledger.refund, amount=usd(amount), **words)


def entries(bank, reference):
    with bank.session() as session:
        stored = ledger.transaction(session, reference)
    assert stored is not None
    return {entry.account: entry.amount.figure() for entry in stored.entries}


def test_a_refund_goes_from_the_customer_to_where_the_money_came_from(bank, amara):
    refund(bank, amara, "30.00", meta={"why": "returned"})
    assert bank.balances(amara, usd("0")) == ("70.00", ZERO, ZERO)
    assert entries(bank, f"back:{amara}") == {clearing("sandbox"): "30.00", available(amara): f"{MINUS}30.00"}


def test_a_refund_may_go_elsewhere(bank, amara):
    refund(bank, amara, "30.00", destination=clearing("stripe"))
    assert entries(bank, f"back:{amara}")[clearing("stripe")] == "30.00"


def test_several_refunds_reach_the_payment_and_not_a_cent_more(bank, amara):
    bank.pay_in(amara, usd("50.00"))
    refund(bank, amara, "30.00", reference=f"1:{amara}")
    refund(bank, amara, "69.99", reference=f"2:{amara}")
    with pytest.raises(RefundTooLarge, match=r"0\.01 USD") as refusal:
        refund(bank, amara, "0.02", reference=f"3:{amara}")
    assert (refusal.value.left, refusal.value.asked) == (usd("0.01"), usd("0.02"))
    refund(bank, amara, "0.01", reference=f"3:{amara}")
    assert bank.balances(amara, usd("0")) == ("50.00", ZERO, ZERO)


def test_the_same_refund_again_is_the_first_one(bank, amara):
    first = refund(bank, amara, "60.00")
    again = refund(bank, amara, "60.00", destination=clearing("sandbox"), allow_debt=True)
    assert again == Posted(first.txn_id, replayed=True)
    assert bank.available(amara, usd("0")) == usd("40.00")


@pytest.mark.parametrize(
    "other",
    [{"amount": "60.01"}, {"kind": "other"}, {"meta": {"a": 1}}, {"destination": clearing("stripe")}],
    ids=str,
)
def test_other_content_under_a_refunds_reference_is_a_conflict(bank, amara, other):
    refund(bank, amara, "60.00")
    with pytest.raises(ReferenceConflict):
        refund(bank, amara, **{"amount": "60.00"} | other)


def test_the_refund_of_another_payment_under_the_same_reference_is_a_conflict(bank, amara):
    bank.pay_in(amara, usd("100.00"), reference=f"second:{amara}")
    refund(bank, amara, "60.00")
    with pytest.raises(ReferenceConflict):
        refund(bank, amara, "60.00", transaction_reference=f"second:{amara}")


def test_spent_money_is_refused_or_becomes_a_debt(bank, amara, new_user_id):
    bank.send(amara, new_user_id(), usd("95.00"))
    with pytest.raises(InsufficientFunds) as refusal:
        refund(bank, amara, "30.00")
    assert refusal.value.available == usd("5.00")

    refund(bank, amara, "30.00", allow_debt=True)
    assert bank.balances(amara, usd("0")) == (ZERO, ZERO, f"{MINUS}25.00")
    assert refund(bank, amara, "30.00").replayed
    with pytest.raises(RefundTooLarge) as too_large:
        refund(bank, amara, "70.01", reference=f"more:{amara}", allow_debt=True)
    assert too_large.value.left == usd("70.00")


def test_between_customers_the_fee_is_not_part_of_it(bank, amara, new_user_id):
    bilal, reference = new_user_id(), f"sent:{amara}"
    bank.post(
        Posting(available(amara), available(bilal), usd("30.00")),
        Posting(available(amara), house("fees"), usd("0.30")),
        reference=reference,
    )
    with pytest.raises(RefundTooLarge):
        refund(bank, amara, "30.01", transaction_reference=reference)
    refund(bank, amara, "30.00", transaction_reference=reference)
    assert bank.available(amara, usd("0")) == usd("99.70")
    assert bank.available(bilal, usd("0")) == usd("0")


def test_what_was_captured_for_another_customer_can_be_refunded(bank, amara, new_user_id):
    bilal = new_user_id()
    bank.do(ledger.hold, reference=f"hold:{amara}", kind="x", user_id=amara, amount=usd("60.00"))
    bank.do(
        ledger.capture,
        hold_reference=f"hold:{amara}",
        reference=f"paid:{amara}",
        destination=available(bilal),
        amount=usd("25.00"),
    )
    with pytest.raises(RefundTooLarge):
        refund(bank, amara, "25.01", transaction_reference=f"paid:{amara}")
    refund(bank, amara, "25.00", transaction_reference=f"paid:{amara}")
    assert bank.balances(amara, usd("0")) == ("100.00", ZERO, ZERO)


def test_what_settled_a_debt_is_part_of_what_the_customer_got(bank, new_user_id):
    user = new_user_id()
    bank.post(Posting(receivable(user), house("suspense"), usd("40.00")))
    bank.post(
        Posting(clearing("sandbox"), available(user), usd("60.00")),
        Posting(clearing("sandbox"), receivable(user), usd("40.00")),
        reference=f"in:{user}",
    )
    refund(bank, user, "100.00", allow_debt=True)
    assert bank.balances(user, usd("0")) == (ZERO, ZERO, f"{MINUS}40.00")


def test_a_reversed_payment_is_not_refunded(bank, amara):
    bank.do(ledger.reverse, transaction_reference=f"in:{amara}", reference=f"undo:{amara}", reason="x")
    bank.pay_in(amara, usd("100.00"))
    with pytest.raises(AlreadyReversed) as refusal:
        refund(bank, amara, "1.00")
    assert refusal.value.by == f"undo:{amara}"


def test_a_refund_that_was_undone_makes_room_again(bank, amara):
    refund(bank, amara, "100.00")
    bank.do(ledger.reverse, transaction_reference=f"back:{amara}", reference=f"undo:{amara}", reason="x")
    assert bank.available(amara, usd("0")) == usd("100.00")
    refund(bank, amara, "100.00", reference=f"again:{amara}")
    assert bank.available(amara, usd("0")) == usd("0")


def test_what_a_refund_makes_no_sense_of_is_refused_and_says_why(bank, amara, new_user_id):
    bilal = new_user_id()
    bank.do(ledger.hold, reference=f"hold:{amara}", kind="x", user_id=amara, amount=usd("10.00"))
    refund(bank, amara, "10.00")
    bank.do(ledger.reverse, transaction_reference=f"back:{amara}", reference=f"undo:{amara}", reason="x")
    bank.post(
        Posting(clearing("sandbox"), available(amara), usd("1.00")),
        Posting(clearing("sandbox"), available(bilal), usd("1.00")),
        reference=f"two payees:{amara}",
    )
    bank.post(
        Posting(clearing("sandbox"), available(amara), usd("1.00")),
        Posting(house("treasury"), available(amara), usd("1.00")),
        reference=f"two payers:{amara}",
    )
    bank.post(
        Posting(available(amara), house("treasury"), usd("1.00")),
        Posting(house("treasury"), available(amara), Money(7, asset("BTC"))),
        reference=f"swap:{amara}",
    )
    bank.post(Posting(house("treasury"), house("fees"), usd("1.00")), reference=f"house:{amara}")
    for reference, why in (
        (f"hold:{amara}", "hold"),
        (f"back:{amara}", "refund"),
        (f"undo:{amara}", "reversal"),
        (f"two payees:{amara}", "parties"),
        (f"two payers:{amara}", "parties"),
        (f"swap:{amara}", "parties"),
        (f"house:{amara}", "parties"),
    ):
        with pytest.raises(NotRefundable) as refusal:
            refund(bank, amara, "1.00", transaction_reference=reference, reference=f"no:{amara}")
        assert refusal.value.why == why
    with pytest.raises(NoSuchTransaction):
        refund(bank, amara, "1.00", transaction_reference=f"never:{amara}", reference=f"no:{amara}")
    refund(
        bank,
        amara,
        "2.00",
        transaction_reference=f"two payers:{amara}",
        reference=f"no:{amara}",
        destination=clearing("sandbox"),
    )


def test_what_can_never_be_right_is_a_mistake_of_ours(bank, amara, new_user_id):
    for wrong in (
        {"amount": "0.00"},
        {"destination": available(amara)},
        {"destination": held(new_user_id())},
        {"destination": house("no such purpose")},
        {"reference": ""},
    ):
        with pytest.raises(MalformedPosting):
            refund(bank, amara, **{"amount": "1.00"} | wrong)
    with pytest.raises(MalformedPosting):
        bank.do(
            ledger.refund,
            transaction_reference=f"in:{amara}",
            reference=f"back:{amara}",
            amount=Money(1, asset("BTC")),
        )


def test_fifty_racing_refunds_never_give_back_more_than_came_in(bank, amara):
    bank.pay_in(amara, usd("1000.00"))
    outcomes = race([lambda: refund(bank, amara, "15.00", reference=f"race:{uuid4()}")] * 50)
    assert [type(outcome) for outcome in outcomes].count(Posted) == 6
    assert [type(outcome) for outcome in outcomes].count(RefundTooLarge) == 44
    assert {outcome.left for outcome in outcomes if isinstance(outcome, RefundTooLarge)} == {usd("10.00")}
    assert bank.available(amara, usd("0")) == usd("1010.00")


def test_refunds_and_a_reversal_cannot_both_have_the_payment(bank, new_user_id):
    for _ in range(4):
        user = new_user_id()
        bank.pay_in(user, usd("100.00"), reference=f"in:{user}")
        bank.pay_in(user, usd("100.00"))
        outcomes = race(
            [lambda user=user: refund(bank, user, "5.00", reference=f"race:{uuid4()}")] * 12
            + [
                lambda user=user: bank.do(
                    ledger.reverse,
                    transaction_reference=f"in:{user}",
                    reference=f"race:{uuid4()}",
                    reason="x",
                )
            ]
            * 13
        )
        refunded = [type(outcome) for outcome in outcomes[:12]].count(Posted)
        undone = [type(outcome) for outcome in outcomes[12:]].count(Posted)
        assert (refunded, undone) in ((12, 0), (0, 1))
