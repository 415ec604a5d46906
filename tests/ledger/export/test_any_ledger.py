"""The export of any texts, of the demo and of a large ledger can be read back too."""

from __future__ import annotations

import json
import random
import tracemalloc

import pytest
from beancount.core.data import Transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from advancia.core.money import ASSETS, Money, asset
from advancia.ledger import Posting, available, clearing, house, receivable
from advancia.ledger.batches import BatchItem, post_many
from advancia.ledger.export import export
from advancia.ledger.export_formats import on_one_line
from tests.ledger.export.readers import READERS, Ledger, beancount_entries, hledger, read


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
@example(text="\\u002c")
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_text_on_one_line_can_be_read_back(text):
    told = on_one_line(text, ",;")
    assert told.isprintable()
    assert told == told.strip()
    assert not set(told) & {",", ";"}
    assert read(told) == text


notes = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@given(texts=st.lists(notes, min_size=20, max_size=20))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_note_survives_both_tools(new_ledger, texts):
    books = new_ledger()
    for text in texts:
        books.bank.pay_in(1, Money.of("1.00", "USD"), meta={"note": text})
    told = json.loads(hledger("print", "-O", "json", journal=books.export("hledger")))
    in_hledger = [read(each["tdescription"].partition(" | ")[2]) for each in told if each["tcode"]]
    entries = beancount_entries(books.export("beancount"))
    in_beancount = [read(each.narration) for each in entries if isinstance(each, Transaction)]
    assert in_hledger == in_beancount == texts


@pytest.mark.parametrize("tool", READERS)
def test_the_demo_can_be_read_back(new_ledger, tool):
    demo = new_ledger()
    assert demo.command(of=("demo", "seed")).exit_code == 0
    balances = READERS[tool](demo.export(tool))
    assert balances == demo.balances()
    assert any(balances.values())


@pytest.fixture(scope="module")
def large(new_ledger) -> Ledger:
    """50,000 transactions of 500 customers in five assets."""
    large, chance = new_ledger(), random.Random(2)
    for begin in range(0, 50_000, 1000):
        items = [random_item(number, chance) for number in range(begin, begin + 1000)]
        with Session(large.engine) as session:
            post_many(session, items, atomic=True)
            session.commit()
    return large


def random_item(number: int, chance: random.Random) -> BatchItem:
    code = chance.choice(list(ASSETS))
    amount = Money(chance.randrange(1, 10 ** (asset(code).decimals + 3)), asset(code))
    source, destination = chance.sample(range(1, 501), 2)
    postings = [Posting(receivable(source), available(destination), amount)]
    if number % 3 == 0:
        postings = [Posting(clearing("stripe"), available(source), amount)]
    if number % 5 == 0:
        postings.append(Posting(receivable(source), house("fees"), Money(1, asset(code))))
    return BatchItem(f"large:{number}", "test", postings, meta={"note": f"number {number}"})


@pytest.mark.slow
@pytest.mark.parametrize("tool", READERS)
def test_a_large_random_ledger_agrees(large, tool):
    assert READERS[tool](large.export(tool)) == large.balances()


@pytest.mark.slow
def test_memory_stays_flat(large):
    with Session(large.engine) as session:
        tracemalloc.start()
        size = sum(len(piece) for piece in export(session, to="hledger"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert size > 10_000_000
    assert peak < size / 2
