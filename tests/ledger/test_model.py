"""The database against a model in a page of Python, step by step, over random histories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from advancia import ledger
from advancia.core.money import Money, asset
from advancia.ledger import (
    InsufficientFunds,
    LedgerError,
    MalformedPosting,
    Posted,
    Posting,
    check,
)
from tests.ledger.conftest import Bank
from tests.ledger.model import Account, Legs, Model, Refused, Stored, net

CODES = ("USD", "ETH")
OF_CUSTOMERS = ("available", "receivable")
OF_HOUSE = ("clearing.stripe", "fees")

# An account by its place: one of three customers and a purpose, or 3 for the house.
customers_places = st.tuples(st.integers(0, 2), st.sampled_from(OF_CUSTOMERS))
places = st.one_of(customers_places, st.tuples(st.just(3), st.sampled_from(OF_HOUSE)))
destinations = st.one_of(
    st.tuples(st.integers(0, 2), st.just("available")), st.tuples(st.just(3), st.sampled_from(OF_HOUSE))
)
small = st.integers(1, 50)
amounts = st.one_of(small, st.sampled_from([10**18, 3 * 10**19]))
assets = st.sampled_from(CODES)
users = st.integers(0, 2)

moves = st.tuples(places, places, amounts, assets).filter(lambda move: move[0] != move[1])
# Without these, nearly everything would be refused for want of money.
fundings = st.tuples(st.just((3, "clearing.stripe")), customers_places, amounts, assets)
payments = st.tuples(st.just((3, "clearing.stripe")), st.tuples(users, st.just("available")), amounts, assets)

numbers = st.integers(0, 40)  # of references; few enough to meet again
earlier = st.integers(0, 15)  # which earlier transaction, counted back from the newest; 15 is none
shares = st.integers(0, 4)  # in quarters, rounded down, plus one: more than all of it now and then


class Books(Model, RuleBasedStateMachine):
    bank: ClassVar[Bank]
    new_user_id: ClassVar[Callable[[], int]]

    @initialize()
    def open(self) -> None:
        self.run = uuid4().hex
        self.users = [type(self).new_user_id() for _ in range(3)]
        self.balances: dict[Account, int] = defaultdict(int)
        self.history: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
        self.posted: dict[str, Stored] = {}
        self.done: dict[str, tuple] = {}  # the calls that led there
        for number in range(3):
            for place, (code, amount) in enumerate((("USD", 100), ("ETH", 2 * 10**19))):
                self.post(100 + 2 * number + place, [((3, "fees"), (number, "available"), amount, code)])

    # What is asked of both

    @rule(number=numbers, chosen=st.lists(st.one_of(moves, fundings), min_size=1, max_size=4))
    def post(self, number: int, chosen: list) -> None:
        postings = [
            Posting(self.key(source), self.key(destination), Money(amount, asset(code)))
            for source, destination, amount, code in chosen
        ]
        if legs := net(postings):
            self.step(number, ("post", legs), lambda: legs, ledger.post, kind="test", postings=postings)

    @rule(number=numbers, payment=payments)
    def pay_in(self, number: int, payment: tuple) -> None:
        self.post(number, [payment])

    @rule(number=numbers, user=users, amount=small | amounts, code=assets)
    def hold(self, number: int, user: int, amount: int, code: str) -> None:
        user_id = self.users[user]
        legs = {(user_id, code, "available"): -amount, (user_id, code, "held"): amount}
        self.step(
            number,
            ("hold", legs),
            lambda: legs,
            ledger.hold,
            kind="test",
            user_id=user_id,
            amount=Money(amount, asset(code)),
        )

    @rule(
        number=numbers,
        back=earlier,
        to=destinations,
        share=st.none() | shares,
        fee=st.booleans(),
    )
    def capture(self, number: int, back: int, to: tuple, share: int | None, fee: bool) -> None:
        of = self.earlier(back, "hold")
        held, _, code = self.holding(of)
        amount = None if share is None else held * share // 4 + 1
        parts = {self.key(to): amount}
        if fee:
            parts[ledger.house("treasury")] = 1
        self.step(
            number,
            ("resolve", of, code, tuple(parts.items())),
            lambda: self.resolved(of, parts),
            ledger.capture,
            hold_reference=of,
            destination=self.key(to),
            amount=None if amount is None else Money(amount, asset(code)),
            besides={ledger.house("treasury"): Money(1, asset(code))} if fee else None,
            kind="test",
        )

    @precondition(lambda self: self.has_hold)
    @rule(number=numbers, back=earlier)
    def release(self, number: int, back: int) -> None:
        of = self.earlier(back, "hold")
        _, _, code = self.holding(of)
        self.step(
            number,
            ("resolve", of, code, ()),
            lambda: self.resolved(of, {}),
            ledger.release,
            hold_reference=of,
            kind="test",
        )

    @rule(number=numbers, back=earlier, allow_debt=st.booleans())
    def reverse(self, number: int, back: int, allow_debt: bool) -> None:
        of = self.earlier(back)
        self.step(
            number,
            ("reverse", of),
            lambda: self.mirrored(of),
            ledger.reverse,
            allow_debt=allow_debt,
            transaction_reference=of,
            reason="test",
        )

    @rule(number=numbers, back=earlier, share=shares, to=st.none() | destinations, allow_debt=st.booleans())
    def refund(self, number: int, back: int, share: int, to: tuple | None, allow_debt: bool) -> None:
        of = self.earlier(back)
        legs = self.posted[of].legs if of in self.posted else {(0, "USD", ""): 1}
        ((_, code, _), got) = max(legs.items(), key=lambda leg: leg[1])
        amount = got * share // 4 + 1
        destination = self.key(to) if to else self.payer(of)
        self.step(
            number,
            ("refund", of, code, amount, destination),
            lambda: self.refunded(of, code, amount, destination, chosen=to is not None),
            ledger.refund,
            allow_debt=allow_debt,
            transaction_reference=of,
            amount=Money(amount, asset(code)),
            destination=self.key(to) if to else None,
        )

    @rule(back=earlier)
    def again(self, back: int) -> None:
        """A repeat of something that was posted, as after a lost answer."""
        if done := list(self.done.values()):
            number, content, legs_of, action, words = done[-1 - back % len(done)]
            self.step(number, content, legs_of, action, **words)

    # What the model makes of it

    def step(
        self,
        number: int,
        content: tuple,
        legs_of: Callable[[], Legs],
        action: Callable[..., Posted],
        **words: Any,
    ) -> None:
        """Do it in both: refused in both for the same reason, or moved in both by the same legs."""
        reference = f"model:{self.run}:{number}"
        debt = words.get("allow_debt", False)
        try:
            legs = self.expected(reference, content, legs_of, debt=debt)
        except Refused as refusal:
            legs = refusal.as_
        try:
            outcome = self.bank.do(action, reference=reference, **words)
        except (LedgerError, MalformedPosting) as error:
            assert type(error) is legs  # noqa: PT017 - that it raises is no more than one outcome
            self.told(error)
            return
        assert not isinstance(legs, type), f"The ledger let through what should be {legs}."
        assert outcome.replayed == (reference in self.posted)
        if outcome.replayed:
            assert outcome.txn_id == self.posted[reference].txn_id
        else:
            self.done[reference] = (number, content, legs_of, action, words)
            self.keep(reference, Stored(outcome.txn_id, legs, content))

    def told(self, refusal: Exception) -> None:
        """A refusal for want of money says what there is."""
        if isinstance(refusal, InsufficientFunds):
            short = (refusal.account.holder, refusal.asked.asset.code, refusal.account.purpose)
            assert refusal.available.minor == self.balances[short] < refusal.asked.minor

    # What must hold

    @invariant()
    def balances_agree(self) -> None:
        with self.bank.session() as session:
            rows = session.execute(
                text("select holder, asset, purpose, balance from ledger.account where holder = any(:users)"),
                {"users": self.users},
            )
            told = {(holder, code, purpose): int(balance) for holder, code, purpose, balance in rows}
        of_customers = {
            account: minor for account, minor in self.balances.items() if account[0] != ledger.HOUSE
        }
        assert {account for account, minor in of_customers.items() if minor} <= told.keys()
        assert all(of_customers.get(account, 0) == minor for account, minor in told.items())

    def teardown(self) -> None:
        with self.bank.session() as session:
            for user in self.users:
                for code in CODES:
                    rows = ledger.entries_of(session, user, limit=1000, assets=[code])
                    told = [(row.amount.minor, row.balance_after.minor) for row in rows]
                    assert told == self.history[user, code]
                entries = sum(leg[0] == user for stored in self.posted.values() for leg in stored.legs)
                assert ledger.version_of(session, user) == entries


def test_the_database_and_the_model_stay_in_step(bank, new_user_id):
    class TheseBooks(Books):
        pass

    TheseBooks.bank = bank
    TheseBooks.new_user_id = staticmethod(new_user_id)
    run_state_machine_as_test(
        TheseBooks,
        settings=settings(
            max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    with bank.session() as session:
        assert check.run(session).differences == ()
