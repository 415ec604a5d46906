"""The lists of staff read a page's worth, by an index or within a window, however much there is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.admin.customers import queries as customers
from advancia.admin.trail import queries as trail
from advancia.admin.transactions import queries as transactions
from advancia.core.money import Money
from advancia.ledger import staff_queries
from advancia.ledger.staff_queries import Wanted

EXPLAIN = "explain (analyze, buffers, format json)"
ROWS = 10
# Of 8 kB; each of the tables has several times as many, and so has an index that is read from end to end.
MOST_BLOCKS = 300
DAY = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE, LINES, MOVES, BATCH = 30_000, 60_000, 30_000, 10_000


@pytest.fixture(scope="module")
def large(scratch_of):
    """A database with many people, lines and transactions in it, as its owner may put them there by hand."""
    scratch = scratch_of()
    with scratch.owner() as owner:
        owner.execute(
            "insert into users (email, handle, name, password_hash, terms_version, terms_accepted_at, created_at)"
            " select 'p' || n || '@test.example', 'p' || n || 'x',"
            " case n when 1 then 'Zora Rare' else 'Person Number' || n end, '', '', now(),"
            " now() - n * interval '1 minute' from generate_series(1, %s) n",
            (PEOPLE,),
        )
        owner.execute(
            "insert into audit_record (actor_id, role, action, object_kind, object_id)"
            " select n %% 500, 'admin', case when n < 9 then 'thing.rare' else 'thing.' || n %% 20 end,"
            " case when n < 9 then 'rare' else 'thing' end, (n %% 3000)::text from generate_series(1, %s) n",
            (LINES,),
        )
    for first in range(0, MOVES, BATCH):
        items = [move(number) for number in range(first, first + BATCH)]
        with scratch.session() as session:
            ledger.post_many(session, items, atomic=True)
            session.commit()
    with scratch.owner() as owner:
        owner.autocommit = True
        owner.execute("vacuum analyze")
    return scratch


def move(number):
    """A transaction of one of many customers, of one of a few kinds."""
    posting = ledger.Posting(
        ledger.house("treasury"), ledger.available(1 + number % 900), Money.of("1", "USD")
    )
    return ledger.BatchItem(reference=f"move:{number}", kind=f"kind{number % 5}", postings=[posting])


def plans_of(scratch, ask):
    """The plans of all statements that `ask` sends, with what carrying them out has read."""
    asked = []

    def note(_connection, _cursor, statement, parameters, *_rest):
        if statement.lstrip().lower().startswith(("select", "with")):
            asked.append((statement, parameters))

    with Session(scratch.engine) as session:
        event.listen(scratch.engine, "before_cursor_execute", note)
        try:
            ask(session)
        finally:
            event.remove(scratch.engine, "before_cursor_execute", note)
        connection = session.connection()
        return [
            connection.exec_driver_sql(f"{EXPLAIN} {statement}", parameters).scalar_one()[0]["Plan"]
            for statement, parameters in asked
        ]


def is_cheap(plan):
    """Whether it reads no more than a page of a list needs."""
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= MOST_BLOCKS


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (None, None), ("p77@test.example", None), ("@p77x", None), ("zora", None), ("number777", None), ("77", None),
        (None, "suspended"), (None, "active"),
    ],
)  # fmt: skip
def test_customers(large, words, state):
    for before in (None, 1000):
        for plan in plans_of(
            large,
            lambda session, before=before: customers.customers(
                session, text=words, state=state, before=before, limit=ROWS
            ),
        ):
            assert is_cheap(plan), json.dumps(plan, indent=1)


@pytest.mark.parametrize(
    "wanted",
    [
        trail.Wanted(), trail.Wanted(who="7"), trail.Wanted(who="system"), trail.Wanted(action="thing.7"),
        trail.Wanted(action="thing.rare"),
        trail.Wanted(kind="thing", object_id="7"), trail.Wanted(kind="rare"), trail.Wanted(who="7", action="thing.7"),
    ],
    ids=str,
)  # fmt: skip
def test_lines_of_the_trail(large, wanted):
    for before in (None, 1000):
        for plan in plans_of(
            large, lambda session, before=before: trail.lines(session, wanted, before=before, limit=ROWS)
        ):
            assert is_cheap(plan), json.dumps(plan, indent=1)


def test_the_actions_are_found_by_jumping(large):
    for plan in plans_of(large, trail.actions):
        assert is_cheap(plan), json.dumps(plan, indent=1)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(), Wanted(holder=7), Wanted(holder=7, asset="USD", kind="kind1"), Wanted(kind="kind1"),
        Wanted(asset="USD"), Wanted(since=DAY), Wanted(until=DAY, kind="kind1"), Wanted(since=DAY, until=DAY, holder=7),
    ],
    ids=str,
)  # fmt: skip
def test_transactions(large, wanted):
    for before in (None, 25_000):
        for plan in plans_of(
            large,
            lambda session, before=before: staff_queries.transactions(
                session, wanted, before=before, limit=ROWS
            ),
        ):
            assert is_cheap(plan), json.dumps(plan, indent=1)


def test_one_transaction(large):
    for plan in plans_of(large, lambda session: transactions.shown(session, 20_000)):
        assert is_cheap(plan), json.dumps(plan, indent=1)


def test_a_transaction_by_its_reference(large):
    for plan in plans_of(large, lambda session: transactions.ids_meant_by(session, "move:777")):
        assert is_cheap(plan), json.dumps(plan, indent=1)
