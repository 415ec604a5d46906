"""The database against a model in a few lines of Python, step by step, over random histories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import ClassVar
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from advancia import ledger
from advancia.core.money import Money, asset
from advancia.ledger import AccountKey, InsufficientFunds, LedgerError, Posted, Posting, ReferenceConflict
from tests.ledger.conftest import Bank

CODES = ("USD", "ETH")
OF_CUSTOMERS = ("available", "held", "receivable")
OF_HOUSE = ("clearing.stripe", "fees")
GUARDED = ("available", "held")

# An account by its place: one of three customers and a purpose, or 3 for the house.
customers_places = st.tuples(st.integers(0, 2), st.sampled_from(OF_CUSTOMERS))
places = st.one_of(customers_places, st.tuples(st.just(3), st.sampled_from(OF_HOUSE)))
amounts = st.one_of(st.integers(1, 50), st.sampled_from([10**18, 3 * 10**19]))
assets = st.sampled_from(CODES)

moves = st.tuples(places, places, amounts, assets).filter(lambda move: move[0] != move[1])
# Without these, nearly everything would be refused for want of money.
fundings = st.tuples(st.just((3, "clearing.stripe")), customers_places, amounts, assets)

Account = tuple[int, str, str]  # holder, asset, purpose


class Books(RuleBasedStateMachine):
    bank: ClassVar[Bank]
    new_user_id: ClassVar[Callable[[], int]]

    @initialize()
    def open(self) -> None:
        self.run = uuid4().hex
        self.users = [type(self).new_user_id() for _ in range(3)]
        self.balances: dict[Account, int] = defaultdict(int)
        self.history: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
        self.posted: dict[str, tuple[int, dict[Account, int]]] = {}

    @rule(number=st.integers(0, 8), chosen=st.lists(st.one_of(moves, fundings), min_size=1, max_size=4))
    def post(self, number: int, chosen: list) -> None:
        postings = [
            Posting(self.key(source), self.key(destination), Money(amount, asset(code)))
            for source, destination, amount, code in chosen
        ]
        legs = net(postings)
        if not legs:
            return
        reference = f"model:{self.run}:{number}"
        expected = self.expected(reference, legs)
        try:
            outcome = self.bank.post(*postings, reference=reference)
        except LedgerError as refusal:
            outcome = refusal
        assert type(outcome) is expected
        if isinstance(outcome, Posted):
            self.keep(reference, legs, outcome)
        if isinstance(outcome, InsufficientFunds):
            short = (outcome.account.holder, outcome.asked.asset.code, outcome.account.purpose)
            assert (outcome.available.minor, outcome.asked.minor) == (self.balances[short], -legs[short])

    def key(self, place: tuple[int, str]) -> AccountKey:
        number, purpose = place
        return AccountKey(ledger.HOUSE if number == 3 else self.users[number], purpose)

    def expected(self, reference: str, legs: dict[Account, int]) -> type:
        if reference in self.posted:
            return Posted if self.posted[reference][1] == legs else ReferenceConflict
        short = any(leg[2] in GUARDED and self.balances[leg] + change < 0 for leg, change in legs.items())
        return InsufficientFunds if short else Posted

    def keep(self, reference: str, legs: dict[Account, int], outcome: Posted) -> None:
        assert outcome.replayed == (reference in self.posted)
        if outcome.replayed:
            assert outcome.txn_id == self.posted[reference][0]
            return
        self.posted[reference] = (outcome.txn_id, legs)
        for leg, change in legs.items():
            self.balances[leg] += change
            if leg[2] == "available":
                self.history[leg[0], leg[1]].insert(0, (change, self.balances[leg]))

    @invariant()
    def balances_agree(self) -> None:
        with self.bank.session() as session:
            for user in self.users:
                for holding in ledger.balances_of(session, user):
                    code = holding.asset.code
                    assert holding.available.minor == self.balances[user, code, "available"]
                    assert holding.held.minor == self.balances[user, code, "held"]
                    owed = ledger.balance(session, ledger.receivable(user), holding.asset)
                    assert owed.minor == self.balances[user, code, "receivable"]

    def teardown(self) -> None:
        with self.bank.session() as session:
            for user in self.users:
                for code in CODES:
                    rows = ledger.entries_of(session, user, limit=1000, assets=[code])
                    told = [(row.amount.minor, row.balance_after.minor) for row in rows]
                    assert told == self.history[user, code]
                entries = sum(leg[0] == user for _, legs in self.posted.values() for leg in legs)
                assert ledger.version_of(session, user) == entries


def net(postings: list[Posting]) -> dict[Account, int]:
    legs: dict[Account, int] = defaultdict(int)
    for posting in postings:
        for (holder, purpose), change in (
            (posting.source, -posting.amount.minor),
            (posting.destination, posting.amount.minor),
        ):
            legs[holder, posting.amount.asset.code, purpose] += change
    return {leg: change for leg, change in legs.items() if change}


def test_the_database_and_the_model_stay_in_step(bank, new_user_id):
    class TheseBooks(Books):
        pass

    TheseBooks.bank = bank
    TheseBooks.new_user_id = staticmethod(new_user_id)
    run_state_machine_as_test(
        TheseBooks,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
