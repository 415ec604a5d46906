"""A credit out of suspense that staff roll back lies there again: the queue shows it, and it is decided anew, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from advancia import audit, ledger
from advancia.admin.rollbacks import services as rollbacks
from advancia.core.context import Actor
from advancia.core.db import db, in_unit_of_work
from advancia.core.money import asset
from advancia.payments.errors import AlreadyDecided, CreditDisputed
from advancia.payments.models import Deposit, Refund
from advancia.payments.refunds import suspense
from advancia.payments.strays import services as strays
from tests.support.payments import pass_on
from tests.support.people import new_staff

QUEUE = "/admin/payments/suspense?state=open"
ETHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def finance(staff_page):
    return staff_page("finance")


@pytest.fixture
def actor(app):
    return Actor(new_staff(app, "admin").id, "admin", "10.0.0.1", None)


@pytest.fixture
def coins(begun, amara, happen):
    """25 tether for Amara in suspense."""
    deposit = begun(amara, "25.00", "USDT")
    happen(deposit.url, "wrong-network", "confirm")
    return deposit


@pytest.fixture
def path(coins, finance):
    return finance.get(QUEUE).all("#results a.reach")[0]["href"]


@pytest.fixture
def stray_id(path):
    return int(path.rsplit("/", 1)[1])


@pytest.fixture
def credit(finance, path):
    def to(customer):
        assert finance.submit(path, who=customer.email, reason="It is theirs").status == 303

    return to


@pytest.fixture
def roll_back(app, actor, txn_id_of):
    def undo(reference):
        txn_id, request_id = txn_id_of(reference), uuid4()
        with app.app_context():
            in_unit_of_work(
                lambda session: rollbacks.roll_back(
                    session, actor=actor, txn_id=txn_id, reason="The wrong person", allow_debt=False,
                    request_id=request_id,
                )
            )  # fmt: skip

    return undo


@pytest.fixture
def in_suspense(app):
    """What the books say lies there."""

    def now():
        with app.app_context():
            return ledger.balance(db.session(), ledger.house("suspense"), asset("USDT")).minor

    return now


def deposit_of(app, coins):
    with app.app_context():
        return db.session.get_one(Deposit, coins.id)


def test_what_was_credited_to_the_wrong_person_waits_again_and_is_credited_to_the_right_one(
    app, finance, coins, path, stray_id, amara, customer, credit, roll_back, books, in_suspense
):
    lying, bilal = in_suspense(), customer("Bilal Haddad")
    credit(bilal)
    assert path not in finance.get(QUEUE).html
    roll_back(f"deposit:{coins.id}")

    assert in_suspense() == lying
    assert path in finance.get(QUEUE).html
    shown = finance.get(path)
    assert "Waiting" in shown.text
    with app.app_context():
        line = audit.records_of(db.session(), kind="stray", id=stray_id, limit=1)[0]
    assert (line.action, line.before, line.reason) == (
        "stray.reopened", {"user_id": bilal.id}, "The wrong person",
    )  # fmt: skip
    credit(amara)
    credit_is_twice_refused(app, stray_id, amara)
    assert str(books.available(amara, "USDT")) == "25.000000 USDT"
    assert str(books.available(bilal, "USDT")) == "0.000000 USDT"
    assert deposit_of(app, coins).state == "paid"
    assert "Rolled back" not in finance.get(f"/admin/payments/{coins.id}").one("header.title").text
    books.prove()


def credit_is_twice_refused(app, stray_id, who):
    actor = Actor(new_staff(app, "finance").id, "finance", None, None)
    with pytest.raises(AlreadyDecided), app.app_context():
        in_unit_of_work(
            lambda session: strays.credit(
                session, actor=actor, stray_id=stray_id, user_id=who.id, reason="Again"
            )
        )


def test_a_rollback_of_the_second_credit_brings_it_back_once_more(
    app, finance, coins, path, stray_id, amara, credit, roll_back, books, page_of
):
    credit(amara)
    roll_back(f"deposit:{coins.id}")
    assert deposit_of(app, coins).state == "locked"
    assert "Being checked" in page_of(amara).get(f"/deposits/{coins.id}").text
    credit(amara)
    roll_back(f"stray:{stray_id}:credit:2")

    assert path in finance.get(QUEUE).html
    assert str(books.available(amara, "USDT")) == "0.000000 USDT"
    assert finance.submit(f"{path}/return", address=ETHER, reason="Case 50").status == 303
    assert path not in finance.get(QUEUE).html
    books.prove()


def test_a_rollback_and_a_return_at_once_send_it_back_at_most_once(
    app, coins, path, stray_id, amara, actor, credit, roll_back, books, in_suspense
):
    lying = in_suspense()
    credit(amara)
    start = Barrier(3)

    def send_back(_number):
        start.wait()
        try:
            with app.app_context():
                in_unit_of_work(
                    lambda session: suspense.send_back(
                        session, actor=actor, stray_id=stray_id, reason="Away", request_id=uuid4(), address=ETHER
                    )
                )  # fmt: skip
        except AlreadyDecided:
            return "decided"
        return "sent"

    with ThreadPoolExecutor(3) as threads:
        rolled = threads.submit(lambda: (start.wait(), roll_back(f"deposit:{coins.id}")))
        outcomes = list(threads.map(send_back, range(2)))
        rolled.result()
    if "sent" not in outcomes:  # the rollback came last
        start = Barrier(1)
        outcomes.append(send_back(0))

    assert outcomes.count("sent") == 1
    assert in_suspense() == lying - 25_000_000
    with app.app_context():
        assert len(db.session.scalars(select(Refund).where(Refund.stray_id == stray_id)).all()) == 1
    books.prove()


def test_a_credit_that_a_bank_disputes_is_not_rolled_back(
    sandbox, page, credit_of_card, roll_back, work_through
):
    deposit, intent = credit_of_card
    sandbox.cards.disputes.open(intent)
    for event in sandbox.deliveries():
        pass_on(page, event)
    work_through()
    with pytest.raises(CreditDisputed):
        roll_back(f"deposit:{deposit.id}")


@pytest.fixture
def credit_of_card(app, sandbox, begun, amara, happen, finance):
    """40.00 by card that went to suspense and was credited from there."""
    deposit = begun(amara, "40.00")
    for since in ("now()", "NULL"):
        with app.app_context():
            in_unit_of_work(
                lambda session, since=since: session.execute(
                    text(f"UPDATE users SET suspended_at = {since} WHERE id = :id"), {"id": amara.id}
                )
            )
        happen(deposit.url, *(["pay"] if since == "now()" else []))
    path = finance.get(QUEUE).all("#results a.reach")[0]["href"]
    assert finance.submit(path, who=amara.email, reason="It is theirs").status == 303
    return deposit, sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"]
