"""Disputes and refunds of money that no customer has: it lies in suspense, or its deposit was rolled back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from advancia import audit, ledger
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money, asset
from advancia.payments.disputes import services as disputes
from advancia.payments.errors import AlreadyDecided, Disputed, WasRolledBack
from advancia.payments.models import Deposit, Dispute, Refund
from advancia.payments.refunds import services as refunds
from advancia.payments.refunds import suspense
from advancia.payments.strays import services as strays
from advancia.providers import authorities
from tests.payments.test_any_order import DISPUTE_FEE, House
from tests.payments.test_strays import pay_elsewhere
from tests.support.books import besides_fees


@pytest.fixture
def house(app, sandbox):
    return House(app)


@pytest.fixture
def intent_of(sandbox):
    return lambda deposit: sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"]


@pytest.fixture
def in_suspense(house, sandbox, begun, amara, suspend, hear, stray_of, intent_of):
    """40.00 for an account that is suspended: what lies in suspense."""
    deposit = begun(amara, "40.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False, verify=authorities.known())
    suspend(amara)
    hear()
    suspend(amara, is_suspended=False)
    return stray_of(intent_of(deposit))


@pytest.fixture
def credit(app, finance, amara):
    def to_amara(stray):
        with app.app_context(), unit_of_work() as session:
            strays.credit(session, actor=finance, stray_id=stray.id, user_id=amara.id, reason="It is theirs")

    return to_amara


@pytest.fixture
def paid(house, begun, amara, hear):
    deposit = begun(amara, "100.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False, verify=authorities.known())
    hear()
    return deposit


@pytest.fixture
def roll_back(app):
    """Roll a deposit back as staff do: by the mirror of its entries."""

    def undo(deposit, *, allow_debt=False):
        with app.app_context(), unit_of_work() as session:
            ledger.reverse(
                session, transaction_reference=f"deposit:{deposit.id}", reference=f"rollback:{uuid4()}",
                reason="A mistake", allow_debt=allow_debt,
            )  # fmt: skip

    return undo


@pytest.fixture
def holdings(app, amara):
    """What Amara has: available, held, owed, in minor units."""

    def now():
        keys = (ledger.available(amara.id), ledger.held(amara.id), ledger.receivable(amara.id))
        with app.app_context():
            return tuple(ledger.balance(db.session(), key, asset("USD")).minor for key in keys)

    return now


def row(app, model, **by):
    with app.app_context():
        return db.session.scalars(select(model).filter_by(**by)).one()


def test_a_disputed_payment_stays_in_suspense_until_that_is_decided(
    app, sandbox, house, in_suspense, credit, finance, hear, stray_of
):
    dispute = sandbox.cards.disputes.open(in_suspense.payment_id)
    hear()
    assert row(app, Dispute, id=dispute["id"]).stray_id == in_suspense.id
    with pytest.raises(Disputed):
        credit(in_suspense)
    with pytest.raises(Disputed), app.app_context(), unit_of_work() as session:
        suspense.send_back(
            session, actor=finance, stray_id=in_suspense.id, reason="Away with it", request_id=uuid4()
        )
    assert besides_fees(house.changes) == {("suspense", "USD"): 40_00, ("clearing.sandbox", "USD"): -40_00}


def test_a_dispute_and_a_decision_at_once_never_take_the_money_twice(
    app, sandbox, house, in_suspense, finance, amara, hear, books, holdings
):
    """Whoever comes first: either the dispute keeps it in suspense, or it is withheld from whom it was credited to."""
    dispute = sandbox.cards.disputes.open(in_suspense.payment_id)
    told = app.extensions["gateway"].dispute(dispute["id"])

    def act(number):
        try:
            with app.app_context(), unit_of_work() as session:
                if number % 2:
                    disputes.withhold(session, provider="sandbox", told=told)
                else:
                    strays.credit(
                        session, actor=finance, stray_id=in_suspense.id, user_id=amara.id, reason="Theirs"
                    )
        except (Disputed, AlreadyDecided):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(16)))
    sandbox.cards.disputes.close(dispute["id"], won=False)
    hear()

    assert holdings() == (0, 0, 0)
    assert besides_fees(house.changes) == {}
    books.prove()


def test_one_that_is_won_leaves_it_to_be_decided_about(
    sandbox, house, in_suspense, credit, hear, books, amara, holdings
):
    dispute = sandbox.cards.disputes.open(in_suspense.payment_id)
    hear()
    sandbox.cards.disputes.close(dispute["id"], won=True)
    hear()
    hear()
    credit(in_suspense)

    assert holdings() == (40_00, 0, 0)
    assert besides_fees(house.changes) == {("clearing.sandbox", "USD"): -40_00}
    books.prove()


@pytest.mark.parametrize("heard_before", [True, False])
def test_one_that_is_lost_takes_it_from_suspense(
    app, sandbox, house, in_suspense, hear, books, amara, holdings, stray_of, heard_before
):
    dispute = sandbox.cards.disputes.open(in_suspense.payment_id)
    if heard_before:
        hear()
    sandbox.cards.disputes.close(dispute["id"], won=False)
    hear()
    hear()

    assert stray_of(in_suspense.payment_id).state == "taken"
    assert row(app, Deposit, id=in_suspense.deposit_id).state == "returned"
    assert holdings() == (0, 0, 0)
    assert besides_fees(house.changes) == {}
    books.prove()


def test_of_one_that_takes_a_part_the_rest_can_be_credited_and_refunded(
    app, sandbox, in_suspense, hear, credit, holdings, stray_of, finance, work_through
):
    dispute = sandbox.cards.disputes.open(in_suspense.payment_id, amount=1500)
    sandbox.cards.disputes.close(dispute["id"], won=False)
    hear()
    credit(in_suspense)
    assert holdings() == (25_00, 0, 0)
    with app.app_context(), unit_of_work() as session:
        deposit = session.get(Deposit, in_suspense.deposit_id)
        assert refunds.refundable(session, deposit) == Money.of("25.00", "USD")


def test_a_payment_of_no_deposit_can_be_disputed_as_well(app, sandbox, house, hear, stray_of):
    payment = pay_elsewhere(sandbox, 25_00, "usd")
    hear()
    dispute = sandbox.cards.disputes.open(payment)
    hear()
    assert row(app, Dispute, id=dispute["id"]).stray_id == stray_of(payment).id
    sandbox.cards.disputes.close(dispute["id"], won=False)
    hear()

    assert stray_of(payment).state == "taken"
    assert house.changes.get(("suspense", "USD")) is None


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_of_a_deposit_that_was_rolled_back_is_not_the_customers(
    app, sandbox, house, paid, intent_of, roll_back, hear, books, holdings, won
):
    roll_back(paid)
    before = house.changes
    dispute = sandbox.cards.disputes.open(intent_of(paid))
    hear()
    assert row(app, Dispute, id=dispute["id"]).borne_by_house
    sandbox.cards.disputes.close(dispute["id"], won=won)
    hear()
    hear()

    assert holdings() == (0, 0, 0)
    fee = {("clearing.sandbox", "USD"): DISPUTE_FEE, ("fees", "USD"): -DISPUTE_FEE}
    assert house.changes == {
        key: before.get(key, 0) + fee[key] for key in fee if before.get(key, 0) + fee[key]
    }
    with app.app_context():
        lines = audit.records_of(db.session(), kind="dispute", id=dispute["id"], limit=9)
    assert "dispute.borne_by_house" in {line.action for line in lines}
    books.prove()


@pytest.mark.parametrize("won", [True, False])
def test_what_was_withheld_before_the_rollback_is_the_customers_again(
    sandbox, paid, intent_of, roll_back, hear, books, holdings, won
):
    dispute = sandbox.cards.disputes.open(intent_of(paid))
    hear()
    assert holdings() == (0, 100_00, 0)
    roll_back(paid, allow_debt=True)
    assert holdings() == (0, 100_00, -100_00)
    sandbox.cards.disputes.close(dispute["id"], won=won)
    hear()
    hear()

    assert holdings() == (100_00, 0, -100_00)  # together nothing, and not a second debt
    books.prove()


def test_a_refund_at_the_provider_after_a_rollback_is_noted_and_costs_nobody_anything(
    app, sandbox, house, paid, intent_of, roll_back, hear, books, holdings
):
    roll_back(paid)
    before = house.changes
    sandbox.cards.refunds.create({"payment_intent": intent_of(paid)})
    hear()
    hear()

    refund = row(app, Refund, deposit_id=paid.id)
    assert (refund.state, refund.borne_by_house) == ("succeeded", True)
    assert holdings() == (0, 0, 0)
    assert house.changes == before
    books.prove()


def test_such_a_refund_that_fails_costs_nobody_anything_either(
    app, sandbox, house, paid, intent_of, roll_back, hear, holdings
):
    roll_back(paid)
    before = house.changes
    sandbox.cards.refunds.will("bounce")
    made = sandbox.cards.refunds.create({"payment_intent": intent_of(paid)})
    hear()
    sandbox.cards.refunds.bounce(made["id"])
    hear()

    assert row(app, Refund, deposit_id=paid.id).state == "failed"
    assert holdings() == (0, 0, 0)
    assert house.changes == before


def test_coins_given_back_after_a_rollback_cost_nobody_anything(
    app, sandbox, begun, amara, hear, roll_back, books
):
    deposit = begun(amara, "0.01", "BTC")
    for outcome in ("exact", "confirm"):
        httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
    hear()
    roll_back(deposit)
    before = books.entry_count(amara)
    for outcome in ("give-back", "given-back"):
        httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
        hear()

    assert row(app, Refund, deposit_id=deposit.id).borne_by_house
    assert books.entry_count(amara) == before


def test_from_here_what_was_rolled_back_is_not_refunded(app, paid, roll_back, finance):
    roll_back(paid)
    with pytest.raises(WasRolledBack), app.app_context(), unit_of_work() as session:
        refunds.request_refund(
            session, actor=finance, deposit_id=paid.id, amount=Money.of("1.00", "USD"), reason="Why not",
            request_id=uuid4(),
        )  # fmt: skip


def test_a_credit_from_suspense_that_was_rolled_back_is_lost_from_suspense(
    sandbox, house, in_suspense, credit, roll_back, hear, books, holdings
):
    credit(in_suspense)
    with_id = type("Credited", (), {"id": in_suspense.deposit_id})
    roll_back(with_id)
    dispute = sandbox.cards.disputes.open(in_suspense.payment_id)
    sandbox.cards.disputes.close(dispute["id"], won=False)
    hear()
    hear()

    assert holdings() == (0, 0, 0)
    assert besides_fees(house.changes) == {}
    books.prove()


def test_a_payment_credited_to_somebody_without_a_deposit_is_taken_back_from_them(
    app, sandbox, hear, stray_of, credit, holdings, books
):
    payment = pay_elsewhere(sandbox, 25_00, "usd")
    hear()
    credit(stray_of(payment))
    assert holdings() == (25_00, 0, 0)
    sandbox.cards.refunds.create({"payment_intent": payment, "amount": "1000"})
    hear()
    hear()

    assert holdings() == (15_00, 0, 0)
    books.prove()
