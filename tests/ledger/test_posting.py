from __future__ import annotations

from datetime import UTC, datetime

import pytest

from advancia import ledger
from advancia.core import context
from advancia.core.money import Money, asset
from advancia.ledger import (
    Entry,
    InsufficientFunds,
    MalformedPosting,
    Posted,
    Posting,
    ReferenceConflict,
    available,
    clearing,
    held,
    house,
    receivable,
)

USD, ETH, BTC = asset("USD"), asset("ETH"), asset("BTC")


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def test_a_posting_moves_money_and_tells_all_of_it_afterwards(bank, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("100.00"))

    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    with context.bound_request_id("request-of-this-test"):
        posted = bank.post(
            Posting(available(amara), available(bilal), usd("30.00")),
            Posting(available(amara), house("fees"), usd("0.30")),
            reference=f"transfer:{amara}",
            kind="transfer",
            meta={"note": "für Käse 🧀"},
            effective_at=at,
        )

    with bank.session() as session:
        stored = ledger.transaction(session, f"transfer:{amara}")
    assert stored is not None
    assert stored.id == posted.txn_id
    assert (stored.kind, stored.meta, stored.request_id) == (
        "transfer",
        {"note": "für Käse 🧀"},
        "request-of-this-test",
    )
    assert stored.effective_at == at
    assert stored.created_at > at
    assert stored.entries == (
        Entry(house("fees"), usd("0.30"), None),
        Entry(available(amara), -usd("30.30"), usd("69.70")),
        Entry(available(bilal), usd("30.00"), usd("30.00")),
    )


def test_a_transaction_counts_from_when_it_was_posted_unless_told_otherwise(bank, new_user_id):
    user = new_user_id()
    bank.pay_in(user, usd("1.00"), reference=f"in:{user}")
    with bank.session() as session:
        stored = ledger.transaction(session, f"in:{user}")
        assert ledger.transaction(session, f"never:{user}") is None
    assert stored is not None
    assert stored.effective_at == stored.created_at
    assert stored.meta == {}


def test_the_same_posting_again_gives_the_first_transaction_and_moves_nothing(bank, new_user_id):
    user = new_user_id()
    first = bank.pay_in(user, usd("10.00"), reference=f"in:{user}", meta={"b": 1, "a": 2})
    with context.bound_request_id("another-request"):
        again = bank.pay_in(user, usd("10.00"), reference=f"in:{user}", meta={"a": 2, "b": 1})
    assert again == Posted(first.txn_id, replayed=True)
    assert bank.available(user, usd("0")) == usd("10.00")


@pytest.mark.parametrize(
    "other",
    [
        {"amount": "10.01"},
        {"kind": "gift"},
        {"meta": {"note": "other"}},
        {"effective_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"source": house("treasury")},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_reference_never_stands_for_two_contents(bank, new_user_id, other):
    user = new_user_id()
    bank.pay_in(user, usd("10.00"), reference=f"in:{user}")
    source = other.pop("source", clearing("sandbox"))
    amount = usd(other.pop("amount", "10.00"))
    with pytest.raises(ReferenceConflict) as refusal:
        bank.post(
            Posting(source, available(user), amount), reference=f"in:{user}", **{"kind": "deposit", **other}
        )
    assert refusal.value.reference == f"in:{user}"
    assert bank.available(user, usd("0")) == usd("10.00")


def test_a_refusal_says_what_there_is_and_leaves_the_reference_free(bank, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("100.00"))

    with pytest.raises(
        InsufficientFunds, match=r"^There is not enough money: 100\.00 USD is available\.$"
    ) as refusal:
        bank.send(amara, bilal, usd("100.01"), reference=f"send:{amara}")
    assert refusal.value.available == usd("100.00")
    assert refusal.value.asked == usd("100.01")
    assert refusal.value.account == available(amara)

    # Not even the same content is taken for a repeat, nor other content for a conflict.
    assert not bank.send(amara, bilal, usd("100.00"), reference=f"send:{amara}").replayed
    assert bank.available(amara, usd("0")) == usd("0")


def test_who_never_had_anything_has_nothing_to_send(bank, new_user_id):
    with pytest.raises(InsufficientFunds) as refusal:
        bank.send(new_user_id(), new_user_id(), usd("0.01"))
    assert refusal.value.available == usd("0")


def test_held_money_moves_by_holds_alone_so_that_it_is_what_they_say(bank, new_user_id):
    user = new_user_id()
    bank.pay_in(user, usd("5.00"))
    for source, destination in ((available(user), held(user)), (held(user), available(user))):
        with pytest.raises(MalformedPosting, match="held"):
            bank.post(Posting(source, destination, usd("1.00")))


def test_a_debt_has_no_floor(bank, new_user_id):
    user = new_user_id()
    bank.post(Posting(receivable(user), available(user), usd("5.00")))
    with bank.session() as session:
        assert ledger.balance(session, receivable(user), USD) == -usd("5.00")


def test_ether_beyond_64_bits_is_exact_to_the_last_wei(bank, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    whale = Money(120_000_000 * 10**18 + 1, ETH)
    bank.pay_in(amara, whale)
    bank.send(amara, bilal, Money(1, ETH))
    assert bank.available(amara, whale) == Money(120_000_000 * 10**18, ETH)
    assert bank.available(bilal, whale) == Money(1, ETH)


def test_a_swap_sums_to_zero_in_each_of_its_assets(bank, new_user_id):
    user = new_user_id()
    bank.pay_in(user, usd("100.00"))
    bank.post(
        Posting(available(user), house("treasury"), usd("60.00")),
        Posting(house("treasury"), available(user), Money(100_000, BTC)),
        kind="swap",
    )
    assert bank.available(user, usd("0")) == usd("40.00")
    assert bank.available(user, Money(0, BTC)) == Money(100_000, BTC)


def test_postings_on_the_same_account_become_one_entry(bank, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("10.00"))
    bank.post(
        Posting(available(amara), available(bilal), usd("7.00")),
        Posting(available(bilal), available(amara), usd("3.00")),
        reference=f"net:{amara}",
    )
    with bank.session() as session:
        stored = ledger.transaction(session, f"net:{amara}")
    assert stored is not None
    assert [entry.amount for entry in stored.entries] == [-usd("4.00"), usd("4.00")]


@pytest.mark.parametrize("minor", [0, -1])
def test_a_posting_of_nothing_or_less_is_a_mistake_of_ours(bank, new_user_id, minor):
    with pytest.raises(MalformedPosting):
        bank.pay_in(new_user_id(), Money(minor, USD))


def test_postings_that_cancel_out_are_a_mistake_of_ours(bank, new_user_id):
    user = new_user_id()
    with pytest.raises(MalformedPosting):
        bank.post(Posting(available(user), available(user), usd("1.00")))
    with pytest.raises(MalformedPosting):
        bank.post()


@pytest.mark.parametrize("amount", [10**38, 10**60])
def test_an_amount_beyond_what_the_ledger_stores_is_refused_in_words(bank, new_user_id, amount):
    with pytest.raises(MalformedPosting):
        bank.pay_in(new_user_id(), Money(amount, USD))


def test_a_balance_beyond_what_the_ledger_stores_is_refused_in_words(bank, new_user_id):
    user = new_user_id()
    bank.pay_in(user, Money(10**38 - 1, ETH))
    with pytest.raises(MalformedPosting):
        bank.pay_in(user, Money(1, ETH))
    bank.post(Posting(available(user), clearing("sandbox"), Money(10**38 - 1, ETH)))


def test_accounts_of_the_house_and_of_customers_are_not_mixed_up(bank, new_user_id):
    user = new_user_id()
    for wrong in (
        ledger.AccountKey(user, "fees"),
        ledger.AccountKey(0, "available"),
        house("no such purpose"),
    ):
        with pytest.raises(MalformedPosting):
            bank.post(Posting(wrong, available(user), usd("1.00")))
    for constructor in (available, held, receivable):
        with pytest.raises(ValueError, match="not a customer's id"):
            constructor(0)


def test_one_database_transaction_makes_one_posting(bank, new_user_id):
    user = new_user_id()
    postings = [Posting(clearing("sandbox"), available(user), usd("1.00"))]
    with bank.session() as session:
        ledger.post(session, reference=f"one:{user}", kind="test", postings=postings)
        assert ledger.post(session, reference=f"one:{user}", kind="test", postings=postings).replayed
        with pytest.raises(MalformedPosting, match="one posting"):
            ledger.post(session, reference=f"two:{user}", kind="test", postings=postings)
    assert bank.available(user, usd("0")) == usd("0")


def test_a_refusal_inside_a_savepoint_leaves_the_transaction_free_to_post(bank, new_user_id):
    user, other = new_user_id(), new_user_id()
    with bank.session() as session:
        with pytest.raises(InsufficientFunds), session.begin_nested():
            ledger.post(
                session,
                reference=f"first:{user}",
                kind="test",
                postings=[Posting(available(user), available(other), usd("1.00"))],
            )
        ledger.post(
            session,
            reference=f"second:{user}",
            kind="test",
            postings=[Posting(clearing("sandbox"), available(user), usd("1.00"))],
        )
        session.commit()
    assert bank.available(user, usd("0")) == usd("1.00")
