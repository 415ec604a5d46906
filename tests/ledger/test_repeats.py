"""A posting that was made before is found out while it is made again, and then everything is as it was."""

from __future__ import annotations

from threading import Thread
from uuid import uuid4

import pytest

from advancia import ledger
from advancia.core.money import Money
from advancia.ledger import MalformedPosting, Posted, Posting, ReferenceConflict, available, clearing, house
from tests.ledger.batching import pay, prove
from tests.ledger.conftest import race
from tests.ledger.test_batch_races import wait_until_somebody_waits


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def figures(connection, *users):
    rows = connection.execute(
        "select holder, balance, seq from ledger.account where holder = any(%s) order by holder",
        (list(users),),
    ).fetchall()
    connection.rollback()
    return rows


def test_a_repeat_leaves_balances_and_numbers_as_they_were(bank, app_connection, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("10.00"))
    legs = [
        Posting(available(amara), available(bilal), usd("3.00")),
        Posting(available(amara), house("fees"), usd("0.10")),
    ]
    reference = f"repeat:{uuid4()}"
    first = bank.post(*legs, reference=reference)
    before = figures(app_connection, amara, bilal)
    for _ in range(3):
        assert bank.post(*legs, reference=reference) == Posted(first.txn_id, replayed=True)
    assert figures(app_connection, amara, bilal) == before
    bank.send(bilal, amara, usd("1.00"))
    prove(bank)


def test_a_repeat_is_known_for_one_after_the_money_is_gone(bank, new_user_id):
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("10.00"))
    sent = Posting(available(amara), available(bilal), usd("10.00"))
    first = bank.post(sent, reference=f"gone:{amara}")
    assert bank.post(sent, reference=f"gone:{amara}") == Posted(first.txn_id, replayed=True)
    bank.send(bilal, amara, usd("4.00"))  # not enough for another one
    assert bank.post(sent, reference=f"gone:{amara}") == Posted(first.txn_id, replayed=True)
    assert bank.available(amara, usd("0")) == usd("4.00")


def test_other_content_is_a_conflict_also_when_its_money_is_missing_or_its_account(
    bank, app_connection, new_user_id
):
    amara, nobody, reference = new_user_id(), new_user_id(), f"conflict:{uuid4()}"
    bank.post(Posting(clearing("sandbox"), available(amara), usd("5.00")), reference=reference)
    before = figures(app_connection, amara, nobody)
    for posting in (
        Posting(available(nobody), available(amara), usd("1.00")),
        Posting(clearing("sandbox"), available(nobody), usd("1.00")),
        Posting(available(amara), house("fees"), usd("6.00")),
    ):
        with pytest.raises(ReferenceConflict):
            bank.post(posting, reference=reference)
    assert figures(app_connection, amara, nobody) == before


def test_a_repeat_beside_another_posting_in_one_database_transaction_is_still_a_repeat(bank, new_user_id):
    amara, other = new_user_id(), new_user_id()
    first = bank.pay_in(amara, usd("5.00"), reference=f"beside:{amara}")

    def pay_in(session, user, reference):
        return ledger.post(
            session,
            reference=reference,
            kind="deposit",
            postings=[Posting(clearing("sandbox"), available(user), usd("5.00"))],
        )

    with bank.session() as session:
        pay_in(session, other, f"beside:{other}")
        assert pay_in(session, amara, f"beside:{amara}") == Posted(first.txn_id, replayed=True)
        session.commit()
    with bank.session() as session:
        pay_in(session, amara, f"beside:{amara}")
        with pytest.raises(
            MalformedPosting
        ):  # it has locked accounts: a second one would begin the order anew
            pay_in(session, other, f"beside:{uuid4()}")
    assert bank.available(amara, usd("0")) == bank.available(other, usd("0")) == usd("5.00")


@pytest.mark.parametrize("commits", [True, False])
def test_of_two_that_post_the_same_the_later_one_waits_and_repeats_it_or_posts_it(bank, new_user_id, commits):
    amara, bilal = new_user_id(), new_user_id()
    bank.pay_in(amara, usd("10.00"))
    sent, reference = Posting(available(amara), available(bilal), usd("10.00")), f"two:{amara}"
    outcomes = []
    with bank.session() as session:
        first = ledger.post(session, reference=reference, kind="test", postings=[sent])
        thread = Thread(target=lambda: outcomes.extend(race([lambda: bank.post(sent, reference=reference)])))
        thread.start()
        wait_until_somebody_waits(session)
        session.commit() if commits else session.rollback()
        thread.join()
    (late,) = outcomes
    assert late.replayed is commits
    assert (late.txn_id == first.txn_id) is commits
    assert bank.available(bilal, usd("0")) == usd("10.00")


@pytest.mark.parametrize("rival", ["batch", "single"])
@pytest.mark.parametrize("spends", [True, False])
def test_a_hold_under_a_reference_that_is_posted_meanwhile_is_a_conflict(bank, new_user_id, rival, spends):
    """Also where the rival has spent what was to be held: that the money is missing is not the reason."""
    amara, bilal, reference = new_user_id(), new_user_id(), f"held:{uuid4()}"
    bank.pay_in(amara, usd("10.00"))
    bank.pay_in(bilal, usd("10.00"))
    payer = amara if spends else bilal
    item = pay(available(payer), house("fees"), usd("10.00"), reference)
    outcomes = []

    def late() -> None:
        asked = {"reference": reference, "kind": "hold", "user_id": amara, "amount": usd("1.00")}
        outcomes.extend(race([lambda: bank.do(ledger.hold, **asked)]))

    with bank.session() as session:
        if rival == "batch":
            ledger.post_many(session, [item], atomic=True)
        else:
            ledger.post(session, reference=reference, kind="test", postings=item.postings)
        thread = Thread(target=late)
        thread.start()
        wait_until_somebody_waits(session)
        session.commit()
        thread.join()
    assert isinstance(outcomes[0], ReferenceConflict)
    assert bank.balances(amara, usd("0"))[1] == "0.00"
