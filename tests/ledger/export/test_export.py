"""The export, read back by the tools it is for: they must come to our balances, to the last unit."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from beancount.core.data import Transaction
from sqlalchemy.orm import Session

from advancia.core.money import Money, asset
from advancia.ledger import chart
from advancia.ledger.export import export
from tests.ledger.export.readers import READERS, beancount_entries, hledger, read, stored


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
