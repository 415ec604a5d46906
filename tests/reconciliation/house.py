"""Movements as the product books them, into a database of the test's own: its services, and no pages or jobs."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import TypeVar
from uuid import UUID, uuid4

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.money import Money, asset
from advancia.identity.models import User
from advancia.identity.services import sign_up
from advancia.ledger.errors import LedgerError
from advancia.payments import bank, crediting
from advancia.payments.crediting import Arrival
from advancia.payments.disputes import services as disputes
from advancia.payments.models import Deposit, StrayPayment
from advancia.payments.refunds import services as refunds
from advancia.payments.strays import reopening
from advancia.payments.strays import services as strays
from advancia.providers.stripe_objects import CardDispute, CardPayout, CardRefund
from advancia.wallet.transfers import services as transfers
from tests.support.scratch import Scratch

T = TypeVar("T")
CARD, CRYPTO = "sandbox", "sandbox_crypto"


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


class House:
    """Each call is a unit of work of its own."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self.numbers = count(1)
        self.staff = self.person(role="finance")
        self.actor = Actor(user_id=self.staff, role="finance", address=None, request_id=None)

    def do(self, action: Callable[[Session], T]) -> T:
        with self.scratch.session() as session:
            result = action(session)
            session.commit()
            return result

    def person(self, role: str = "customer") -> int:
        number = next(self.numbers)

        def make(session: Session) -> int:
            user_id = sign_up.create_user(
                session,
                email=f"person-{number}@test.example",
                name=f"Person {number}",
                password_hash="-",
                terms_version="1",
                terms_accepted_at=utcnow(),
                role=role,
            )
            assert user_id is not None
            return user_id

        return self.do(make)

    def email_of(self, user_id: int) -> str:
        return self.do(lambda session: session.get_one(User, user_id).email)

    def begin_deposit(self, user_id: int, amount: Money, provider: str = CARD) -> UUID:
        def make(session: Session) -> UUID:
            deposit = Deposit(
                user_id=user_id,
                request_id=uuid4(),
                asset=amount.asset.code,
                amount=Decimal(amount.minor),
                provider=provider,
                state="pending",
                checkout_id=f"cs_{uuid4().hex}",
                expires_at=utcnow() + timedelta(hours=1),
            )
            session.add(deposit)
            session.flush()
            return deposit.id

        return self.do(make)

    def pay_in(
        self,
        user_id: int,
        amount: Money,
        *,
        provider: str = CARD,
        fee: int | None = 30,
        came: Money | None = None,
    ) -> UUID:
        """A deposit, paid; `came` is what arrives if it is another amount than asked for."""
        deposit_id = self.begin_deposit(user_id, amount, provider)
        arrived = came or amount
        kept = None if fee is None else Money(min(fee, arrived.minor - 1), arrived.asset)
        arrival = Arrival(amount=arrived, fee=kept, payment_id=f"pi_{deposit_id.hex}")
        self.do(lambda session: crediting.credit(session, session.get_one(Deposit, deposit_id), arrival))
        return deposit_id

    def payment_of(self, deposit_id: UUID) -> str:
        return f"pi_{deposit_id.hex}"

    def refund(
        self, payment_id: str, amount: Money, *, again: str | None = None, status: str = "succeeded"
    ) -> str:
        """A refund that the provider tells of, as it stands there."""
        told = CardRefund(
            id=again or f"re_{uuid4().hex}",
            amount=amount,
            status=status,
            payment_intent=payment_id,
            refund_id=None,
            failure_words="The bank would not take it.",
        )
        self.do(lambda session: refunds.settle(session, provider=CARD, told=told))
        return told.id

    def stray(self, amount: Money, *, deposit_id: UUID | None = None) -> int:
        payment_id = f"pi_{uuid4().hex}"

        def put(session: Session) -> int:
            strays.put_aside(
                session,
                provider=CARD,
                payment_id=payment_id,
                amount=amount,
                words=str(amount),
                reason="It fits nothing.",
                deposit_id=deposit_id,
            )
            return session.query(StrayPayment.id).filter(StrayPayment.payment_id == payment_id).scalar()

        return self.do(put)

    def payment_of_stray(self, stray_id: int) -> str:
        return self.do(lambda session: session.get_one(StrayPayment, stray_id).payment_id)

    def credit_stray(self, stray_id: int, user_id: int) -> None:
        self.do(
            lambda session: strays.credit(
                session, actor=self.actor, stray_id=stray_id, user_id=user_id, reason="It is theirs."
            )
        )

    def dispute(self, payment_id: str, amount: Money, status: str, *, again: str | None = None) -> str:
        told = CardDispute(
            id=again or f"dp_{uuid4().hex}",
            amount=amount,
            status=status,
            reason="fraudulent",
            payment_intent=payment_id,
            due_by=None,
            fee=usd("15.00") if status in ("won", "lost") else None,
        )
        for step in disputes.steps(CARD, told):
            self.do(step)
        return told.id

    def payout(self, amount: Money, *, again: str | None = None, status: str = "paid") -> str:
        told = CardPayout(id=again or f"po_{uuid4().hex}", amount=amount, status=status, failure_words=None)
        self.do(lambda session: bank.settle(session, provider=CARD, told=told))
        return told.id

    def send(self, sender: int, recipient: int, amount: Money) -> UUID:
        to = self.email_of(recipient)
        actor = Actor(user_id=sender, role="customer", address=None, request_id=None)
        return self.do(
            lambda session: transfers.send(
                session, actor=actor, recipient=to, amount=amount, note="", request_id=uuid4()
            )
        )

    def roll_back_a_credit(self, reference: str) -> None:
        """As staff do it from the pages: what was credited out of suspense waits there again."""

        def undo(session: Session) -> None:
            undone = ledger.transaction(session, reference)
            assert undone is not None
            reopening.reopen(session, actor=self.actor, undone=undone, reason="A mistake")
            ledger.reverse(
                session,
                transaction_reference=reference,
                reference=f"rollback:{uuid4()}",
                reason="A mistake",
                allow_debt=True,
            )

        self.do(undo)

    def roll_back(self, reference: str) -> None:
        self.do(
            lambda session: ledger.reverse(
                session,
                transaction_reference=reference,
                reference=f"rollback:{uuid4()}",
                reason="A mistake",
                allow_debt=True,
            )
        )


def a_random_month(house: House, chance: random.Random, *, movements: int) -> None:
    """Customers pay in, send, get refunds and disputes, money goes astray, staff credit it and roll back."""
    people = [house.person() for _ in range(4)]
    paid = [(house.pay_in(each, usd("500.00")), 50_000) for each in people]
    for _ in range(movements):
        if not paid:
            paid.append((house.pay_in(people[0], usd("80.00")), 8_000))
        who, other = chance.sample(people, 2)
        amount = Money(chance.randint(200, 9_000), asset("USD"))
        try:
            chance.choice(HAPPENINGS)(house, chance, paid, who, other, amount)
        except LedgerError:
            continue  # there was not enough money, and nothing has moved


Paid = list[tuple[UUID, int]]


def _pay_in(house: House, chance: random.Random, paid: Paid, who: int, _other: int, amount: Money) -> None:
    paid.append((house.pay_in(who, amount, fee=chance.choice((None, 35))), amount.minor))


def _pay_in_coins(
    house: House, chance: random.Random, _paid: Paid, who: int, _other: int, _amount: Money
) -> None:
    house.pay_in(who, Money(chance.randint(10_000, 10**7), asset("BTC")), provider=CRYPTO, fee=150)


def _send(house: House, chance: random.Random, _paid: Paid, who: int, other: int, amount: Money) -> None:
    transfer_id = house.send(who, other, amount)
    if chance.random() < 0.3:
        house.roll_back(f"transfer:{transfer_id}")


def _pay_out(house: House, chance: random.Random, _paid: Paid, *_who: object) -> None:
    house.payout(Money(chance.randint(1, 500), asset("USD")))


def _refund(house: House, chance: random.Random, paid: Paid, *_who: object) -> None:
    deposit_id, amount = paid.pop(chance.randrange(len(paid)))
    if chance.random() < 0.3:
        house.roll_back(f"deposit:{deposit_id}")
    part = Money(chance.randint(1, amount), asset("USD"))
    status = chance.choice(("pending", "succeeded"))
    refund_id = house.refund(house.payment_of(deposit_id), part, status=status)
    if chance.random() < 0.3:
        house.refund(house.payment_of(deposit_id), part, again=refund_id, status="failed")


def _dispute(house: House, chance: random.Random, paid: Paid, *_who: object) -> None:
    deposit_id, amount = paid.pop(chance.randrange(len(paid)))
    if chance.random() < 0.3:
        house.roll_back(f"deposit:{deposit_id}")
    _be_disputed(house, chance, house.payment_of(deposit_id), Money(amount, asset("USD")))


def _be_disputed(house: House, chance: random.Random, payment_id: str, amount: Money) -> None:
    begun = chance.choice(("needs_response", "warning_needs_response"))
    dispute_id = house.dispute(payment_id, amount, begun)
    if chance.random() < 0.7:
        house.dispute(payment_id, amount, chance.choice(("won", "lost")), again=dispute_id)


def _go_astray(house: House, chance: random.Random, _paid: Paid, who: int, other: int, amount: Money) -> None:
    deposit_id = house.begin_deposit(who, amount) if chance.random() < 0.5 else None
    stray_id = house.stray(amount, deposit_id=deposit_id)
    payment_id, what = house.payment_of_stray(stray_id), chance.random()
    if what < 0.2:
        house.refund(payment_id, Money(chance.randint(1, amount.minor), asset("USD")))
    elif what < 0.4:
        _be_disputed(house, chance, payment_id, amount)
    elif what < 0.8:
        house.credit_stray(stray_id, chance.choice((who, other)))
        if chance.random() < 0.4:
            undo = chance.choice((house.roll_back, house.roll_back_a_credit))
            undo(f"deposit:{deposit_id}" if deposit_id else f"stray:{stray_id}:credit")
        if chance.random() < 0.4:
            house.refund(payment_id, Money(chance.randint(1, amount.minor), asset("USD")))


HAPPENINGS = (
    *(_pay_in, _pay_in, _pay_in, _pay_in, _pay_in_coins, _send, _send, _pay_out),
    *(_refund, _refund, _dispute, _dispute, _go_astray, _go_astray),
)
