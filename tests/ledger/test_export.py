"""The export, read back by the tools it is for: they must come to our balances, to the last unit."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import subprocess
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from beancount import loader
from beancount.core.data import Open, Transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.app import create_app
from advancia.config import load_settings, sqlalchemy_url
from advancia.core.db import db
from advancia.core.money import ASSETS, Money, asset
from advancia.ledger import Posting, available, chart, clearing, house, receivable
from advancia.ledger.batches import BatchItem, post_many
from advancia.ledger.export import export
from advancia.ledger.export_formats import on_one_line
from tests.conftest import TEMPLATE
from tests.ledger.conftest import Bank

HOSTILE = [
    "plain",
    "two\nlines\r\nand\ttabs",
    "quotes \" and ' and \\ and \\n",
    "; a comment, with date:2020-01-01 and [2020-02-02=2020-03-03]",
    "  spaces at both ends  ",
    "a | bar, a comma; reference:forged",
    "    Assets:Forged  1000000 USD\n2026-01-01 * forged",
    '"\n2026-01-01 open Assets:Forged',
    "=HYPERLINK(1)",
    "-1+1",
    "@SUM(1)",
    "\tcell",
    "'quoted",
    "bidi \u202e override, nbsp \xa0, \x01, \x85, \u2028, and \U0001f600\U000e0041",
    "",
    " ",
]


class Ledger:
    """A database of its own, its bank and its command line."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.engine = create_engine(sqlalchemy_url(environ["DATABASE_URL"]))
        self.bank = Bank(self.engine)

    def export(self, to: str, **range_) -> str:
        with Session(self.engine) as session:
            return "".join(export(session, to=to, **range_))

    def command(self, *arguments: str, of: tuple[str, str] = ("ledger", "export")):
        app = create_app(load_settings(self.environ))
        try:
            return app.test_cli_runner().invoke(args=[*of, *arguments])
        finally:
            with app.app_context():
                db.engine.dispose()

    def balances(self, *, through: int = 10**18) -> dict[str, Decimal]:
        """Every account's balance by its name outside, a debit as plus, summed here."""
        with psycopg.connect(self.environ["DATABASE_URL"]) as connection:
            rows = connection.execute(
                "select a.holder, a.asset, a.purpose, sum(e.amount) from ledger.account a"
                " join ledger.entry e on e.account_id = a.id where e.txn_id <= %s group by a.id",
                (through,),
            ).fetchall()
        return {
            chart.name_of(holder, code, purpose): -Money(int(minor), asset(code)).decimal
            for holder, code, purpose, minor in rows
        }


def hledger(*arguments: str, journal: str) -> str:
    if shutil.which("hledger") is None:
        if os.environ.get("ADVANCIA_CI"):
            pytest.fail("hledger is not installed, and CI may skip nothing.")
        pytest.skip("hledger is not installed; install the package hledger to read the export back with it.")
    ran = subprocess.run(
        ["hledger", "-f", "-", *arguments],
        input=journal,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def hledger_balances(journal: str) -> dict[str, Decimal]:
    rows = csv.reader(
        io.StringIO(hledger("balance", "--empty", "--flat", "--no-total", "-O", "csv", journal=journal))
    )
    next(rows)
    return without_opening({name: Decimal(balance.split()[0]) for name, balance in rows})


def beancount_entries(journal: str) -> list:
    entries, errors, _ = loader.load_string(journal)
    assert not errors, errors[:3]
    return entries


def beancount_balances(journal: str) -> dict[str, Decimal]:
    balances = {}
    for entry in beancount_entries(journal):
        if isinstance(entry, Open):
            balances[entry.account] = Decimal(0)
        elif isinstance(entry, Transaction):
            for posting in entry.postings:
                balances[posting.account] += posting.units.number
    return without_opening(balances)


def without_opening(balances: dict[str, Decimal]) -> dict[str, Decimal]:
    """What is carried forward comes from an account that must end at zero."""
    opening = {name for name in balances if name.startswith("Equity:Opening:")}
    assert all(balances[name] == 0 for name in opening)
    return {name: balance for name, balance in balances.items() if name not in opening}


READERS = {"hledger": hledger_balances, "beancount": beancount_balances}


@pytest.fixture(scope="module")
def new_ledger(servers, worker_id) -> Iterator:
    made: list[tuple[str, Ledger]] = []

    def new() -> Ledger:
        name = f"export_{worker_id}_{len(made)}"
        servers.postgres.create_database(name, owner="advancia_owner", template=TEMPLATE)
        made.append((name, Ledger(servers.environ(name, var=servers.folder / name))))
        return made[-1][1]

    yield new
    for name, ledger_of_test in made:
        ledger_of_test.engine.dispose()
        servers.postgres.drop_database(name)


@pytest.fixture(scope="module")
def some(new_ledger) -> Ledger:
    """Every asset, to the last unit; every kind of account; every hostile text."""
    some = new_ledger()
    chance = random.Random(1)
    for code in ASSETS:
        for user in range(1, 5):
            minor = 10 ** (ASSETS[code].decimals + 6) + chance.randrange(10**6)
            some.bank.pay_in(user, Money(minor, asset(code)))
    for number, text in enumerate(HOSTILE):
        code = chance.choice(list(ASSETS))
        source, destination = chance.sample(range(1, 5), 2)
        some.bank.post(
            Posting(
                available(source), available(destination), Money(chance.randrange(1, 10**6), asset(code))
            ),
            Posting(available(source), house("fees"), Money(1, asset(code))),
            kind=text.strip("\0 ") or "transfer",
            reference=f"{number}:{text}",
            meta={"note": text, "more": {text: [1, None, text]}},
            effective_at=datetime(2026, 1, 31, 23, 59, 59, 999999, UTC) if number % 2 else None,
        )
    one = Money(1, asset("ETH"))
    some.bank.do(ledger.hold, reference="hold", kind="hold", user_id=1, amount=one)
    some.bank.post(Posting(receivable(2), house("suspense"), one), kind="shortfall")
    for purpose in ("treasury", "promotions", "rounding", "equity"):
        some.bank.post(Posting(clearing("stripe"), house(purpose), one), kind="move", meta={"note": 7})
    return some


@pytest.fixture(scope="module")
def newest(some) -> int:
    with psycopg.connect(some.environ["DATABASE_URL"]) as connection:
        return connection.execute("select max(id) from ledger.txn").fetchone()[0]


@pytest.mark.parametrize("tool", READERS)
def test_the_tool_comes_to_our_balances_to_the_last_unit(some, tool):
    assert READERS[tool](some.export(tool)) == some.balances()


@pytest.mark.parametrize("tool", READERS)
@pytest.mark.parametrize("cut", [1, 7, 21, 30])
def test_a_range_carries_forward_what_was_before_and_ends_where_the_next_begins(some, newest, tool, cut):
    assert READERS[tool](some.export(tool, until=cut)) == some.balances(through=cut)
    assert READERS[tool](some.export(tool, since=cut + 1)) == some.balances()
    middle = some.export(tool, since=cut, until=cut)
    assert READERS[tool](middle) == some.balances(through=cut)


def test_hledger_finds_nothing_to_complain_about(some):
    hledger("check", "--strict", journal=some.export("hledger"))


def test_hledger_reads_every_text_as_it_was(some):
    told = json.loads(hledger("print", "-O", "json", journal=some.export("hledger")))
    facts = {each["tcode"]: (each["tdescription"], dict(each["ttags"])) for each in told}
    for txn_id, reference, kind, note, meta in stored(some):
        description, tags = facts[str(txn_id)]
        kind_told, _, note_told = description.partition(" | ")
        assert read(kind_told) == kind
        assert note_told == "" or read(note_told) == note
        assert read(tags["reference"]) == reference
        assert json.loads(read(tags["meta"])) == meta if meta else "meta" not in tags


def test_beancount_reads_every_text_as_it_was(some):
    told = {
        entry.meta["id"]: entry
        for entry in beancount_entries(some.export("beancount"))
        if isinstance(entry, Transaction)
    }
    for txn_id, reference, kind, note, meta in stored(some):
        entry = told[str(txn_id)]
        assert (read(entry.payee or ""), read(entry.narration)) == (
            kind,
            note if isinstance(note, str) else "",
        )
        assert read(entry.meta["reference"]) == reference
        assert json.loads(read(entry.meta["meta"])) == meta if meta else "meta" not in entry.meta


def test_a_table_holds_every_entry_and_no_formula(some):
    rows = list(csv.DictReader(io.StringIO(some.export("csv"), newline="")))
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["account"]] -= Decimal(row["amount"])
        for column in ("reference", "kind", "note", "meta", "request_id"):
            assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert sums == some.balances()
    by_id = {row["transaction_id"]: row for row in rows}
    for txn_id, reference, _, note, _ in stored(some):
        row = by_id[str(txn_id)]
        assert row["reference"].removeprefix("'") == reference
        assert row["note"].removeprefix("'") == (note if isinstance(note, str) else "")


def test_the_same_range_is_the_same_text_whatever_is_posted_later(some, newest):
    before = [some.export(to, until=newest) for to in ("hledger", "beancount", "csv")]
    some.bank.pay_in(9, Money.of("1.00", "USD"))
    assert [some.export(to, until=newest) for to in ("hledger", "beancount", "csv")] == before


@pytest.mark.parametrize("tool", READERS)
def test_the_assertions_find_one_missing_unit(some, tool):
    journal = some.export(tool)
    place = journal.rindex("1 ETH")  # the last digit of the last balance that ends in one
    wrong = journal[:place] + "2 ETH" + journal[place + len("1 ETH") :]
    with pytest.raises(AssertionError):
        READERS[tool](wrong)


def test_what_beancount_would_round_is_refused(new_ledger):
    large = new_ledger()
    large.bank.pay_in(1, Money(10**37, asset("ETH")))
    assert READERS["hledger"](large.export("hledger")) == large.balances()
    refused = large.command("--format", "beancount")
    assert refused.exit_code == 1
    assert "28 digits" in refused.output


@pytest.mark.parametrize("tool", READERS)
def test_an_empty_ledger_is_a_file_that_the_tool_reads(new_ledger, tool):
    assert READERS[tool](new_ledger().export(tool)) == {}


def test_days_stand_for_what_was_posted_on_them(some, newest):
    today = datetime.now(UTC).date()
    until = f"{newest}"
    whole = some.command("--format", "csv", "--from", "2020-01-01", "--to", until).output
    assert (
        some.command("--format", "csv", "--from", str(today.replace(year=2020)), "--to", until).output
        == whole
    )
    before = some.command("--format", "csv", "--to", "2020-01-01").output
    assert len(before.splitlines()) == 1
    assert len(whole.splitlines()) > 80


def test_a_file_appears_only_when_it_is_whole(some, newest, tmp_path):
    target = tmp_path / "books.journal"
    done = some.command("--format", "hledger", "--to", str(newest), "--output", str(target))
    assert done.exit_code == 0
    assert target.read_text() == some.export("hledger", until=newest)
    target.unlink()
    refused = some.command("--format", "hledger", "--to", "999999", "--output", str(target))
    assert refused.exit_code == 1
    assert "There is no settled transaction 999999 yet" in refused.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "9", "--to", "3"), "the end is before the beginning"),
        (("--from", "yesterday"), "neither a day like"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(some, arguments, told):
    refused = some.command("--format", "csv", *arguments)
    assert refused.exit_code != 0
    assert told in refused.output


def test_an_export_reads_one_moment(some):
    with Session(some.engine) as session:
        pieces = export(session, to="hledger")
        beginning = next(pieces)
        some.bank.pay_in(1, Money.of("1.00", "USD"))
        hledger("check", journal=beginning + "".join(pieces))


def test_every_purpose_has_a_name_of_its_own(app_connection):
    purposes = app_connection.execute("select name, of_house from ledger.purpose").fetchall()
    names = {chart.name_of(0 if of_house else 42, "USD", name) for name, of_house in purposes}
    assert len(names) == len(purposes)
    opened = "".join(f"1970-01-01 open {name} USD\n" for name in names)
    assert len(beancount_entries(opened)) == len(names)


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


def stored(books: Ledger) -> list[tuple]:
    with psycopg.connect(books.environ["DATABASE_URL"]) as connection:
        return connection.execute(
            "select id, reference, kind, meta -> 'note', meta from ledger.txn order by id"
        ).fetchall()


def read(told: str) -> str:
    """A text on one line as it was."""
    return json.loads('"' + told.replace('"', '\\"') + '"')
