"""Setting money aside, and what becomes of it: sent on, wholly or in part, or given back; once."""

from __future__ import annotations

from uuid import uuid4

import pytest

from advancia import ledger
from advancia.core.money import MINUS, Money, asset
from advancia.ledger import (
    AlreadyResolved,
    CaptureTooLarge,
    InsufficientFunds,
    MalformedPosting,
    NoSuchTransaction,
    Posted,
    ReferenceConflict,
    available,
    clearing,
    held,
    house,
)
from tests.ledger.conftest import race

ZERO = "0.00"


def usd(text: str) -> Money:
    return Money.of(text, "USD")


@pytest.fixture
def amara(bank, new_user_id) -> int:
    """Has 100.00 USD, of which 60.00 are on hold under `hold:<her id>`."""
    user_id = new_user_id()
    bank.pay_in(user_id, usd("100.00"))
    set_aside(bank, user_id, "60.00")
    return user_id


def set_aside(bank, user_id, amount, **more) -> Posted:
    words = {"reference": f"hold:{user_id}", "kind": "withdrawal"} | more
    return bank.do(ledger.hold, user_id=user_id, amount=usd(amount), **words)


def capture(bank, user_id, **more) -> Posted:
    words = {
        "hold_reference": f"hold:{user_id}",
        "reference": f"finish:{user_id}",
        "destination": clearing("stripe"),
    }
    return bank.do(ledger.capture, **words | more)


def release(bank, user_id, **more) -> Posted:
    words = {"hold_reference": f"hold:{user_id}", "reference": f"finish:{user_id}"}
    return bank.do(ledger.release, **words | more)


def figures(bank, user_id):
    return bank.balances(user_id, usd("0"))


def entries(bank, reference):
    with bank.session() as session:
        stored = ledger.transaction(session, reference)
    assert stored is not None
    return {entry.account: str(entry.amount) for entry in stored.entries}


def test_a_hold_sets_money_aside(bank, amara):
    assert figures(bank, amara) == ("40.00", "60.00", ZERO)


def test_a_hold_of_more_than_is_available_is_refused_and_says_what_there_is(bank, amara):
    with pytest.raises(InsufficientFunds) as refusal:
        set_aside(bank, amara, "40.01", reference=f"second:{amara}")
    assert (refusal.value.available, refusal.value.asked) == (usd("40.00"), usd("40.01"))
    assert not set_aside(bank, amara, "40.00", reference=f"second:{amara}").replayed


def test_the_same_hold_again_is_the_first_one(bank, amara):
    assert set_aside(bank, amara, "60.00").replayed
    assert figures(bank, amara) == ("40.00", "60.00", ZERO)


@pytest.mark.parametrize("other", [{"amount": "60.01"}, {"kind": "other"}, {"meta": {"a": 1}}], ids=str)
def test_other_content_under_a_holds_reference_is_refused(bank, amara, other):
    with pytest.raises(ReferenceConflict):
        set_aside(bank, amara, **{"amount": "60.00", **other})


def test_a_plain_posting_is_no_repeat_of_a_hold(bank, amara):
    with pytest.raises(ReferenceConflict):
        bank.post(
            ledger.Posting(available(amara), clearing("stripe"), usd("60.00")),
            reference=f"hold:{amara}",
            kind="withdrawal",
        )


@pytest.mark.parametrize("minor", [0, -1, 10**38])
def test_a_hold_of_nothing_or_less_or_too_much_is_a_mistake_of_ours(bank, amara, minor):
    with pytest.raises(MalformedPosting):
        bank.do(ledger.hold, reference="wrong", kind="x", user_id=amara, amount=Money(minor, asset("USD")))


def test_a_capture_sends_all_of_it_on(bank, amara):
    capture(bank, amara)
    assert figures(bank, amara) == ("40.00", ZERO, ZERO)
    assert entries(bank, f"finish:{amara}") == {
        clearing("stripe"): "60.00 USD",
        held(amara): f"{MINUS}60.00 USD",
    }


def test_a_part_is_sent_on_and_the_rest_given_back_at_once(bank, amara):
    capture(bank, amara, amount=usd("25.00"))
    assert figures(bank, amara) == ("75.00", ZERO, ZERO)
    assert entries(bank, f"finish:{amara}") == {
        clearing("stripe"): "25.00 USD",
        available(amara): "35.00 USD",
        held(amara): f"{MINUS}60.00 USD",
    }


def test_a_fee_goes_elsewhere_and_the_destination_gets_what_it_leaves(bank, amara):
    capture(bank, amara, besides={house("fees"): usd("1.50")})
    assert entries(bank, f"finish:{amara}") == {
        clearing("stripe"): "58.50 USD",
        house("fees"): "1.50 USD",
        held(amara): f"{MINUS}60.00 USD",
    }


def test_a_part_and_a_fee_and_the_rest(bank, amara):
    capture(bank, amara, amount=usd("20.00"), besides={house("fees"): usd("1.50")})
    assert figures(bank, amara) == ("78.50", ZERO, ZERO)


def test_held_money_can_go_to_another_customer(bank, amara, new_user_id):
    bilal = new_user_id()
    capture(bank, amara, destination=available(bilal), amount=usd("59.99"))
    assert figures(bank, amara) == ("40.01", ZERO, ZERO)
    assert figures(bank, bilal) == ("59.99", ZERO, ZERO)


def test_a_release_gives_all_of_it_back(bank, amara):
    release(bank, amara)
    assert figures(bank, amara) == ("100.00", ZERO, ZERO)


@pytest.mark.parametrize(
    "more",
    [
        {"amount": usd("60.01")},
        {"amount": usd("59.00"), "besides": {house("fees"): usd("1.01")}},
        {"besides": {house("fees"): usd("60.00")}},
    ],
    ids=["one", "with a fee", "nothing left for the destination"],
)
def test_no_more_than_was_held_can_be_captured(bank, amara, more):
    with pytest.raises(CaptureTooLarge, match=r"60\.00 USD") as refusal:
        capture(bank, amara, **more)
    assert refusal.value.held == usd("60.00")
    assert figures(bank, amara) == ("40.00", "60.00", ZERO)


def test_the_same_end_again_is_the_first_one(bank, amara):
    first = capture(bank, amara, amount=usd("25.00"))
    assert capture(bank, amara, amount=usd("25.00")) == Posted(first.txn_id, replayed=True)
    assert figures(bank, amara) == ("75.00", ZERO, ZERO)


@pytest.mark.parametrize(
    "other",
    [
        {"amount": usd("25.01")},
        {"kind": "other"},
        {"meta": {"a": 1}},
        {"destination": clearing("sandbox")},
    ],
    ids=str,
)
def test_another_end_under_the_same_reference_is_a_conflict(bank, amara, other):
    capture(bank, amara, amount=usd("25.00"))
    with pytest.raises(ReferenceConflict):
        capture(bank, amara, **{"amount": usd("25.00")} | other)
    with pytest.raises(ReferenceConflict):
        release(bank, amara)


def test_another_hold_under_the_same_reference_is_a_conflict(bank, amara, new_user_id):
    capture(bank, amara)
    set_aside(bank, amara, "40.00", reference=f"second:{amara}")
    with pytest.raises(ReferenceConflict):
        capture(bank, amara, hold_reference=f"second:{amara}")


def test_a_hold_that_has_ended_says_by_what(bank, amara):
    capture(bank, amara, amount=usd("25.00"))
    for end in (capture, release):
        with pytest.raises(AlreadyResolved) as refusal:
            end(bank, amara, reference=f"other:{amara}")
        assert (refusal.value.reference, refusal.value.by) == (f"hold:{amara}", f"finish:{amara}")
    assert figures(bank, amara) == ("75.00", ZERO, ZERO)


def test_what_is_no_hold_cannot_end(bank, amara):
    bank.pay_in(amara, usd("1.00"), reference=f"in:{amara}")
    for reference in (f"in:{amara}", f"never:{amara}"):
        with pytest.raises(NoSuchTransaction):
            capture(bank, amara, hold_reference=reference)
        with pytest.raises(NoSuchTransaction):
            release(bank, amara, hold_reference=reference)


def test_what_can_never_be_right_is_a_mistake_of_ours(bank, amara):
    for wrong in (
        {"destination": held(amara)},
        {"destination": house("no such purpose")},
        {"amount": usd("0.00")},
        {"amount": Money(5, asset("BTC"))},
        {"amount": usd("5.00"), "besides": {house("fees"): Money(5, asset("BTC"))}},
        {"reference": ""},
        {"kind": ""},
    ):
        with pytest.raises(MalformedPosting):
            capture(bank, amara, **wrong)
    assert figures(bank, amara) == ("40.00", "60.00", ZERO)


def test_the_end_of_a_hold_is_the_one_posting_of_its_transaction(bank, amara):
    with bank.session() as session:
        ledger.release(session, hold_reference=f"hold:{amara}", reference=f"finish:{amara}")
        with pytest.raises(MalformedPosting, match="one posting"):
            ledger.hold(session, reference="next", kind="x", user_id=amara, amount=usd("1.00"))
    assert figures(bank, amara) == ("40.00", "60.00", ZERO)


def test_of_fifty_captures_one_wins(bank, amara):
    outcomes = race([lambda: capture(bank, amara, reference=f"race:{uuid4()}")] * 50)
    assert [type(outcome) for outcome in outcomes].count(Posted) == 1
    assert [type(outcome) for outcome in outcomes].count(AlreadyResolved) == 49
    assert figures(bank, amara) == ("40.00", ZERO, ZERO)


def test_of_twenty_five_captures_and_as_many_releases_one_wins(bank, amara):
    outcomes = race(
        [
            lambda: capture(bank, amara, reference=f"race:{uuid4()}", amount=usd("25.00")),
            lambda: release(bank, amara, reference=f"race:{uuid4()}"),
        ]
        * 25
    )
    assert [type(outcome) for outcome in outcomes].count(Posted) == 1
    assert [type(outcome) for outcome in outcomes].count(AlreadyResolved) == 49
    assert figures(bank, amara) in (("75.00", ZERO, ZERO), ("100.00", ZERO, ZERO))


def test_under_one_reference_one_wins_and_its_repeats_are_told_so(bank, amara):
    outcomes = race([lambda: capture(bank, amara), lambda: release(bank, amara)] * 25)
    posted = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    assert len(posted) == 25
    assert len({outcome.txn_id for outcome in posted}) == 1
    assert [type(outcome) for outcome in outcomes].count(ReferenceConflict) == 25


def test_holds_that_race_for_the_same_money_never_hold_more_than_there_is(bank, amara):
    outcomes = race([lambda: set_aside(bank, amara, "15.00", reference=f"race:{uuid4()}")] * 50)
    assert [type(outcome) for outcome in outcomes].count(Posted) == 2
    assert [type(outcome) for outcome in outcomes].count(InsufficientFunds) == 48
    assert figures(bank, amara) == ("10.00", "90.00", ZERO)
