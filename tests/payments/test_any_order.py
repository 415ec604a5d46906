"""Whatever order events come in, and however often: the books end the same, and right."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import httpx
import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.core.db import db, unit_of_work
from advancia.core.money import asset
from advancia.providers import authorities
from tests.support.payments import pass_on
from worker.crew import Crew

EVERY_ORDER_OF = 5  # 120 of them
FEE, DISPUTE_FEE = 3_20, 15_00  # of 100.00: 2.9 % and 0.30
COIN_FEE = 10_000  # 1 % of 0.01 BTC


class House:
    """How the house's accounts have changed since."""

    def __init__(self, app) -> None:
        self.app = app
        self.before = self.now()

    def now(self):
        with self.app.app_context():
            return {
                (purpose, code): ledger.balance(db.session(), ledger.house(purpose), asset(code)).minor
                for purpose in ("clearing.sandbox", "clearing.sandbox_crypto", "fees", "suspense")
                for code in ("USD", "BTC")
            }

    @property
    def changes(self):
        return {key: now - self.before[key] for key, now in self.now().items() if now != self.before[key]}


@pytest.fixture
def house(app):
    return House(app)


@pytest.fixture
def holdings(app):
    """What a customer has: available, held, owed, in minor units."""

    def of(customer, code="USD"):
        keys = (ledger.available(customer.id), ledger.held(customer.id), ledger.receivable(customer.id))
        with app.app_context():
            return tuple(ledger.balance(db.session(), key, asset(code)).minor for key in keys)

    return of


@pytest.fixture
def work_in_batches(app):
    """Do all background work as the worker does it, also what waits for another try."""
    crew = Crew(app)
    with app.app_context():
        last = db.session.scalar(text("SELECT coalesce(max(id), 0) FROM outbox"))

    def work():
        for _ in range(10):
            with app.app_context():
                crew.work_off(seconds=60)
                with unit_of_work() as session:
                    left = session.execute(
                        text(
                            "UPDATE outbox SET available_at = now()"
                            " WHERE done_at IS NULL AND parked_at IS NULL AND id > :last RETURNING id"
                        ),
                        {"last": last},
                    ).all()
            if not left:
                return
        raise AssertionError(f"Some work does not come to an end: {left}")

    yield work
    crew.finish()


@dataclass
class Story:
    """What happens to a deposit at the provider, step by step, and where it must end."""

    code: str
    amount: str
    steps: list[str]
    ends: tuple[int, int, int]
    clearing: int
    fees: int = 0


CARD = "clearing.sandbox"
STORIES = {
    "paid": Story("USD", "100.00", ["pay"], (100_00, 0, 0), -100_00 + FEE, -FEE),
    "paid later": Story("USD", "100.00", ["pay later", "settle"], (100_00, 0, 0), -100_00 + FEE, -FEE),
    "failed later": Story("USD", "100.00", ["pay later", "bounce"], (0, 0, 0), 0),
    "refunded in part": Story("USD", "100.00", ["pay", "refund 30"], (70_00, 0, 0), -70_00 + FEE, -FEE),
    "refunded, but it came back": Story(
        "USD", "100.00", ["pay", "refund 30 that fails", "refund fails"], (100_00, 0, 0), -100_00 + FEE, -FEE
    ),
    "disputed": Story("USD", "100.00", ["pay", "dispute"], (0, 100_00, 0), -100_00 + FEE, -FEE),
    "disputed and won": Story(
        "USD", "100.00", ["pay", "dispute", "win"], (100_00, 0, 0), -100_00 + FEE + DISPUTE_FEE, -FEE - DISPUTE_FEE
    ),
    "disputed and lost": Story(
        "USD", "100.00", ["pay", "dispute", "lose"], (0, 0, 0), FEE + DISPUTE_FEE, -FEE - DISPUTE_FEE
    ),
    "asked about and dropped": Story(
        "USD", "100.00", ["pay", "inquiry", "win"], (100_00, 0, 0), -100_00 + FEE, -FEE
    ),
    "refunded, then the rest disputed and lost": Story(
        "USD", "100.00", ["pay", "refund 30", "dispute 70", "lose"], (0, 0, 0), FEE + DISPUTE_FEE, -FEE - DISPUTE_FEE
    ),
    "crypto": Story(
        "BTC", "0.01", ["exact", "confirm"], (1_000_000, 0, 0), -1_000_000 + COIN_FEE, -COIN_FEE
    ),
    "crypto, less": Story(
        "BTC", "0.01", ["less", "confirm", "expire"], (400_000, 0, 0), -400_000 + 4_000, -4_000
    ),
    "crypto, in two parts": Story(
        "BTC", "0.01", ["less", "confirm", "more", "confirm"], (1_900_000, 0, 0), -1_900_000 + 19_000, -19_000
    ),
    "crypto, given back": Story(
        "BTC", "0.01", ["exact", "confirm", "give-back", "given-back"], (0, 0, 0), 0
    ),
    "crypto, held and given back": Story(
        "BTC", "0.01", ["exact", "lock", "give-back", "given-back"], (0, 0, 0), 0
    ),
    "crypto, held and let through": Story(
        "BTC", "0.01", ["exact", "lock", "unlock"], (1_000_000, 0, 0), -1_000_000 + COIN_FEE, -COIN_FEE
    ),
    "crypto, not given back": Story(
        "BTC", "0.01", ["exact", "confirm", "give-back", "not-given-back"], (1_000_000, 0, 0),
        -1_000_000 + COIN_FEE, -COIN_FEE,
    ),
    "crypto, never paid": Story("BTC", "0.01", ["expire"], (0, 0, 0), 0),
}  # fmt: skip


@dataclass
class Told:
    """One deposit in the course of its story, and the events that the provider has made of it so far."""

    story: Story
    deposit: object
    sandbox: object
    done: int = 0
    events: list = field(default_factory=list)

    @property
    def is_over(self):
        return self.done == len(self.story.steps)

    def go_on(self):
        """The next thing happens at the provider."""
        step = self.story.steps[self.done]
        seen = {each.event_id for each in self.sandbox.deliveries()}
        self.done += 1
        cards, intent = self.sandbox.cards, self._intent()
        name, _, amount = step.partition(" ")
        if self.story.code == "BTC":
            httpx.post(self.deposit.url, data={"outcome": step}, trust_env=False, verify=authorities.known())
        elif step in ("pay", "pay later"):
            httpx.post(
                self.deposit.url,
                data={"outcome": "pay" if step == "pay" else "later"},
                trust_env=False,
                verify=authorities.known(),
            )
        elif step in ("settle", "bounce"):
            cards.checkouts.happen(self.deposit.checkout_id, step)
        elif name == "refund" and amount != "fails":
            if amount.endswith("that fails"):
                cards.refunds.will("bounce")
            cards.refunds.create({"payment_intent": intent, "amount": amount.split()[0] + "00"})
        elif step == "refund fails":
            cards.refunds.bounce(cards.refunds.of("", {"payment_intent": intent})["data"][0]["id"])
        elif name in ("dispute", "inquiry"):
            cards.disputes.open(
                intent, amount=int(amount) * 100 if amount else None, inquiry=name == "inquiry"
            )
        else:
            dispute = cards.disputes.of("", {"payment_intent": intent})["data"][0]
            cards.disputes.close(dispute["id"], won=step == "win")
        self.events += [each for each in self.sandbox.deliveries() if each.event_id not in seen]

    def to_the_end(self):
        while not self.is_over:
            self.go_on()
        return self

    def _intent(self):
        return (
            self.story.code == "USD"
            and self.sandbox.cards.checkouts.page(self.deposit.checkout_id)["payment_intent"]
        )


@pytest.fixture
def tell_story(sandbox, begun):
    def begin(customer, story):
        return Told(story, begun(customer, story.amount, story.code), sandbox)

    return begin


def orders(events, *, all_of_them=False):
    """Every order of a few events; of more, the two straight ones and some by chance."""
    if len(events) <= (EVERY_ORDER_OF if all_of_them else 3):
        return [list(order) for order in itertools.permutations(events)]
    dice = random.Random(len(events))
    by_chance = [dice.sample(events, len(events)) for _ in range(100 if all_of_them else 3)]
    return [list(events), list(events)[::-1], *by_chance]


def ends_right(story, customer, holdings, house):
    assert holdings(customer, story.code) == story.ends
    clearing = CARD if story.code == "USD" else f"{CARD}_crypto"
    expected = {(clearing, story.code): story.clearing, ("fees", story.code): story.fees}
    assert house.changes == {key: change for key, change in expected.items() if change}


def in_orders(name, app, page, customer, tell_story, holdings, work_through, *, all_of_them):
    """Tell a story anew for each order of its events, each event also a second time, and see it end right."""
    customer("Somebody Else", ADV="1.00")  # a story that moves nothing would leave nothing to prove
    count = len(tell_story(customer(), STORIES[name]).to_the_end().events)
    for order in orders(range(count), all_of_them=all_of_them):
        somebody = customer()
        told, house = tell_story(somebody, STORIES[name]).to_the_end(), House(app)
        for place in [*order, order[0]]:
            pass_on(page, told.events[place])
        work_through()
        ends_right(STORIES[name], somebody, holdings, house)


@pytest.mark.parametrize("name", STORIES)
def test_orders_of_what_was_told_at_the_end(
    name, app, page, customer, tell_story, holdings, work_through, books
):
    in_orders(name, app, page, customer, tell_story, holdings, work_through, all_of_them=False)
    books.prove()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if len(story.steps) < 4])
def test_every_order_of_what_was_told_at_the_end(
    name, app, page, customer, tell_story, holdings, work_through, books
):
    in_orders(name, app, page, customer, tell_story, holdings, work_through, all_of_them=True)
    books.prove()


@pytest.mark.parametrize("name", STORIES)
def test_each_event_as_soon_as_it_is_made_and_twice(
    name, page, customer, tell_story, holdings, house, work_through
):
    somebody = customer()
    told = tell_story(somebody, STORIES[name])
    while not told.is_over:
        told.go_on()
        for event in told.events * 2:
            assert pass_on(page, event).status == 200
        work_through()

    ends_right(STORIES[name], somebody, holdings, house)


@pytest.mark.parametrize("name", STORIES)
def test_the_last_event_alone_is_enough(name, page, customer, tell_story, holdings, house, work_through):
    somebody = customer()
    told = tell_story(somebody, STORIES[name]).to_the_end()
    pass_on(page, told.events[-1])
    work_through()

    ends_right(STORIES[name], somebody, holdings, house)


@pytest.mark.parametrize(
    "names",
    [["paid"], ["paid", "refunded in part"], ["paid", "paid later", "disputed and won"]],
    ids=" and ".join,
)
def test_every_order_at_once_in_batches(
    names, page, customer, tell_story, holdings, house, work_in_batches, books
):
    tales = []
    for name in names:
        count = len(tell_story(customer(), STORIES[name]).to_the_end().events)
        for order in orders(range(count)):
            somebody = customer()
            told = tell_story(somebody, STORIES[name]).to_the_end()
            tales.append((somebody, told))
            for place in [*order, order[0]]:
                pass_on(page, told.events[place])
    work_in_batches()

    for somebody, told in tales:
        assert holdings(somebody) == told.story.ends
    assert house.changes == {
        (CARD, "USD"): sum(told.story.clearing for _, told in tales),
        ("fees", "USD"): sum(told.story.fees for _, told in tales),
    }
    books.prove()


def play(tales, dice, page, work):
    """Let things happen, events arrive and work be done, each time by chance, until all have arrived at least once."""
    missing = {id(told): [] for _, told in tales}
    while tales_left := [told for _, told in tales if not told.is_over or missing[id(told)]]:
        told = dice.choice(tales_left)
        if not told.is_over and dice.random() < 0.5:
            before = len(told.events)
            told.go_on()
            missing[id(told)] += told.events[before:]
        elif told.events:
            waiting = missing[id(told)]
            event = dice.choice(waiting if waiting and dice.random() < 0.8 else told.events)
            pass_on(page, event)
            if event in waiting:
                waiting.remove(event)
        if dice.random() < 0.05:
            work()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_hundred_deposits_all_at_once(
    seed, page, customer, tell_story, holdings, house, work, work_through, books
):
    dice = random.Random(seed)
    people = [customer() for _ in range(200)]
    tales = [(somebody, tell_story(somebody, dice.choice(list(STORIES.values())))) for somebody in people]
    play(tales, dice, page, work)
    work_through()

    expected = {}
    for somebody, told in tales:
        story = told.story
        assert holdings(somebody, story.code) == story.ends, story
        clearing = CARD if story.code == "USD" else f"{CARD}_crypto"
        for key, change in {(clearing, story.code): story.clearing, ("fees", story.code): story.fees}.items():
            expected[key] = expected.get(key, 0) + change
    assert house.changes == {key: change for key, change in expected.items() if change}
    books.prove()


@pytest.mark.slow
def test_twenty_deposits_all_at_once_in_batches(page, customer, tell_story, holdings, work_in_batches):
    dice = random.Random(8)
    tales = [
        (somebody, tell_story(somebody, story)) for story in STORIES.values() for somebody in [customer()]
    ]
    play(tales, dice, page, work_in_batches)
    work_in_batches()

    for somebody, told in tales:
        assert holdings(somebody, told.story.code) == told.story.ends, told.story


def test_twenty_deposits_all_at_once(page, customer, tell_story, holdings, work, work_through):
    dice = random.Random(7)
    tales = [
        (somebody, tell_story(somebody, story)) for story in STORIES.values() for somebody in [customer()]
    ]
    play(tales, dice, page, work)
    work_through()

    for somebody, told in tales:
        assert holdings(somebody, told.story.code) == told.story.ends, told.story
