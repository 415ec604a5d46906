"""Undoing a transaction: the mirror of what was stored, once."""

from __future__ import annotations

from uuid import uuid4

import pytest

from advancia import ledger
from advancia.core.money import MINUS, Money, asset
from advancia.ledger import (
    AlreadyRefunded,
    AlreadyReversed,
    InsufficientFunds,
    NoSuchTransaction,
    NotReversible,
    Posted,
    Posting,
    ReferenceConflict,
    available,
    clearing,
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


def reverse(bank, of, **more) -> Posted:
    words = {"transaction_reference": of, "reference": f"undo:{of}", "reason": "a mistake"} | more
    return bank.do(ledger.reverse, **words)


def stored(bank, reference) -> ledger.Transaction:
    with bank.session() as session:
        found = ledger.transaction(session, reference)
    assert found is not None
    return found


def entries(bank, reference):
    return {
        (entry.account, entry.amount.asset.code): entry.amount.figure()
        for entry in stored(bank, reference).entries
    }


def test_a_reversal_is_the_mirror_of_all_entries_and_says_why(bank, amara, new_user_id):
    bilal, reference = new_user_id(), f"swap:{amara}"
    bank.post(
        Posting(available(amara), house("treasury"), usd("60.00")),
        Posting(available(amara), house("fees"), usd("0.60")),
        Posting(house("treasury"), available(bilal), Money(7, asset("BTC"))),
        reference=reference,
    )
    reverse(bank, reference)

    undone = stored(bank, f"undo:{reference}")
    assert (undone.kind, undone.meta) == ("reversal", {"reason": "a mistake"})
    assert [(entry.account, -entry.amount) for entry in undone.entries] == [
        (entry.account, entry.amount) for entry in stored(bank, reference).entries
    ]
    assert bank.balances(amara, usd("0")) == ("100.00", ZERO, ZERO)
    assert bank.available(bilal, Money(0, asset("BTC"))).minor == 0


def test_the_same_reversal_again_is_the_first_one(bank, amara):
    first = reverse(bank, f"in:{amara}")
    assert reverse(bank, f"in:{amara}") == Posted(first.txn_id, replayed=True)
    assert reverse(bank, f"in:{amara}", allow_debt=True).replayed


@pytest.mark.parametrize("other", [{"reason": "another"}, {"kind": "other"}], ids=str)
def test_other_content_under_a_reversals_reference_is_a_conflict(bank, amara, other):
    reverse(bank, f"in:{amara}")
    with pytest.raises(ReferenceConflict):
        reverse(bank, f"in:{amara}", **other)


def test_another_transaction_under_a_reversals_reference_is_a_conflict(bank, amara):
    bank.pay_in(amara, usd("1.00"), reference=f"second:{amara}")
    reverse(bank, f"in:{amara}", reference=f"undo:{amara}")
    with pytest.raises(ReferenceConflict):
        reverse(bank, f"second:{amara}", reference=f"undo:{amara}")
    with pytest.raises(ReferenceConflict):
        reverse(bank, f"second:{amara}", reference=f"in:{amara}")


def test_a_second_reversal_is_refused_and_says_what_came_first(bank, amara):
    reverse(bank, f"in:{amara}")
    bank.pay_in(amara, usd("100.00"))
    with pytest.raises(AlreadyReversed) as refusal:
        reverse(bank, f"in:{amara}", reference=f"again:{amara}")
    assert (refusal.value.reference, refusal.value.by) == (f"in:{amara}", f"undo:in:{amara}")
    assert bank.available(amara, usd("0")) == usd("100.00")


def test_a_reversal_cannot_be_reversed(bank, amara):
    reverse(bank, f"in:{amara}")
    with pytest.raises(NotReversible) as refusal:
        reverse(bank, f"undo:in:{amara}")
    assert refusal.value.why == "reversal"


def test_what_never_happened_cannot_be_reversed(bank, amara):
    with pytest.raises(NoSuchTransaction):
        reverse(bank, f"never:{amara}")


def test_a_hold_is_released_and_not_reversed_before_its_end_and_after(bank, amara):
    reference = f"hold:{amara}"
    bank.do(ledger.hold, reference=reference, kind="x", user_id=amara, amount=usd("60.00"))
    for _ in range(2):
        with pytest.raises(NotReversible, match="released") as refusal:
            reverse(bank, reference)
        assert refusal.value.why == "hold"
        bank.do(ledger.release, hold_reference=reference, reference=f"release:{amara}")
    with pytest.raises(NotReversible) as refusal:
        reverse(bank, f"release:{amara}")
    assert refusal.value.why == "nothing"
    assert bank.balances(amara, usd("0")) == ("100.00", ZERO, ZERO)


def test_what_a_capture_took_comes_back_as_available_money(bank, amara):
    """Its hold stays resolved, so what would go back into `held` could never leave it again."""
    bank.do(ledger.hold, reference=f"hold:{amara}", kind="x", user_id=amara, amount=usd("60.00"))
    bank.do(
        ledger.capture,
        hold_reference=f"hold:{amara}",
        reference=f"paid:{amara}",
        destination=clearing("stripe"),
        amount=usd("25.00"),
    )
    reverse(bank, f"paid:{amara}")
    assert bank.balances(amara, usd("0")) == ("100.00", ZERO, ZERO)
    assert entries(bank, f"undo:paid:{amara}") == {
        (clearing("stripe"), "USD"): f"{MINUS}25.00",
        (available(amara), "USD"): "25.00",
    }


def test_spent_money_is_not_taken_back(bank, amara, new_user_id):
    bank.send(amara, new_user_id(), usd("99.00"))
    with pytest.raises(InsufficientFunds) as refusal:
        reverse(bank, f"in:{amara}")
    assert (refusal.value.account, refusal.value.available, refusal.value.asked) == (
        available(amara),
        usd("1.00"),
        usd("100.00"),
    )
    assert bank.balances(amara, usd("0")) == ("1.00", ZERO, ZERO)


def test_spent_money_becomes_a_debt_if_that_is_allowed(bank, amara, new_user_id):
    bank.send(amara, new_user_id(), usd("99.00"))
    reverse(bank, f"in:{amara}", allow_debt=True)
    assert bank.balances(amara, usd("0")) == (ZERO, ZERO, f"{MINUS}99.00")
    assert entries(bank, f"undo:in:{amara}") == {
        (clearing("sandbox"), "USD"): "100.00",
        (available(amara), "USD"): f"{MINUS}1.00",
        (receivable(amara), "USD"): f"{MINUS}99.00",
    }
    assert reverse(bank, f"in:{amara}", allow_debt=True).replayed


def test_a_debt_is_booked_whole_when_nothing_is_left_and_not_at_all_when_enough_is(bank, amara, new_user_id):
    bilal = new_user_id()
    bank.pay_in(bilal, usd("5.00"))
    bank.post(
        Posting(clearing("sandbox"), available(amara), usd("7.00")),
        Posting(clearing("sandbox"), available(bilal), usd("7.00")),
        reference=f"both:{amara}",
    )
    bank.send(amara, bilal, usd("107.00"))
    reverse(bank, f"both:{amara}", allow_debt=True)
    assert bank.balances(amara, usd("0")) == (ZERO, ZERO, f"{MINUS}7.00")
    assert bank.balances(bilal, usd("0")) == ("112.00", ZERO, ZERO)
    assert (receivable(bilal), "USD") not in entries(bank, f"undo:both:{amara}")


def test_what_is_missing_becomes_one_debt_beside_the_one_that_is_undone(bank, new_user_id):
    """A transaction over several accounts of a customer, in two assets, undone when much of it is gone."""
    user, other, eth = new_user_id(), new_user_id(), Money(3, asset("ETH"))
    bank.post(
        Posting(clearing("stripe"), available(user), usd("10.00")),
        Posting(clearing("stripe"), receivable(user), usd("1.00")),
        Posting(clearing("stripe"), available(user), eth),
        reference=f"all:{user}",
    )
    bank.post(
        Posting(available(user), available(other), usd("4.00")),
        Posting(available(user), available(other), Money(1, asset("ETH"))),
    )
    reverse(bank, f"all:{user}", allow_debt=True)
    assert entries(bank, f"undo:all:{user}") == {
        (clearing("stripe"), "ETH"): "0.000000000000000003",
        (clearing("stripe"), "USD"): "11.00",
        (available(user), "ETH"): f"{MINUS}0.000000000000000002",
        (receivable(user), "ETH"): f"{MINUS}0.000000000000000001",
        (available(user), "USD"): f"{MINUS}6.00",
        (receivable(user), "USD"): f"{MINUS}5.00",
    }


def test_what_was_refunded_is_not_reversed_unless_the_refund_is_undone(bank, amara):
    bank.do(
        ledger.refund, transaction_reference=f"in:{amara}", reference=f"back:{amara}", amount=usd("10.00")
    )
    with pytest.raises(AlreadyRefunded) as refusal:
        reverse(bank, f"in:{amara}")
    assert refusal.value.by == f"back:{amara}"

    reverse(bank, f"back:{amara}")
    reverse(bank, f"in:{amara}")
    assert bank.balances(amara, usd("0")) == (ZERO, ZERO, ZERO)


def test_of_fifty_reversals_one_wins(bank, amara, new_user_id):
    bank.pay_in(amara, usd("5000.00"))
    outcomes = race([lambda: reverse(bank, f"in:{amara}", reference=f"race:{uuid4()}")] * 50)
    assert [type(outcome) for outcome in outcomes].count(Posted) == 1
    assert [type(outcome) for outcome in outcomes].count(AlreadyReversed) == 49
    assert bank.available(amara, usd("0")) == usd("5000.00")


@pytest.mark.parametrize("allow_debt", [False, True])
def test_a_reversal_and_the_spending_of_the_money_cannot_both_have_it(bank, new_user_id, allow_debt):
    """Whoever comes first, the customer's own accounts and what was sent on add up to what came in."""
    for _ in range(5):
        amara, bilal = new_user_id(), new_user_id()
        bank.pay_in(amara, usd("10.00"), reference=f"in:{amara}")
        outcomes = race(
            [lambda amara=amara, bilal=bilal: bank.send(amara, bilal, usd("1.00"))] * 24
            + [lambda amara=amara: reverse(bank, f"in:{amara}", allow_debt=allow_debt)]
        )
        sent = [type(outcome) for outcome in outcomes[:-1]].count(Posted)
        undone = isinstance(outcomes[-1], Posted)
        assert {type(outcome) for outcome in outcomes} <= {Posted, InsufficientFunds}
        assert bank.available(bilal, usd("0")) == Money(100 * sent, asset("USD"))
        left = Money(1000 * (not undone) - 100 * sent, asset("USD"))
        expected = (ZERO, ZERO, left.figure()) if undone else (left.figure(), ZERO, ZERO)
        assert bank.balances(amara, usd("0")) == expected
        assert not undone or allow_debt or sent == 0


def test_debts_booked_from_all_sides_do_not_deadlock(bank, new_user_id):
    """Each reversal takes from both customers, opens their receivables, and meets others that do the same."""
    for _ in range(3):
        users = [new_user_id() for _ in range(3)]
        references = [f"pair:{uuid4()}" for _ in range(24)]
        for turn, reference in enumerate(references):
            first, second = users[turn % 3], users[(turn + 1) % 3]
            bank.post(
                Posting(clearing("sandbox"), available(first), usd("1.00")),
                Posting(clearing("sandbox"), available(second), usd("2.00")),
                reference=reference,
            )
        for user in users:
            bank.send(user, new_user_id(), bank.available(user, usd("0")))
        outcomes = race(
            [lambda each=each: reverse(bank, each, allow_debt=True) for each in references]
            + [
                lambda user=user, turn=turn: bank.post(
                    Posting(receivable(user), available(users[turn - 1]), usd("0.01"))  # noqa: B023
                )
                for turn, user in enumerate(users)
            ]
        )
        assert {type(outcome) for outcome in outcomes} == {Posted}
