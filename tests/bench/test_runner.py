"""How turns become ratios."""

from __future__ import annotations

import random

import pytest

from bench.crew import shared_out
from bench.ledger.scale import label
from bench.report import Goal, Report, Section
from bench.runner import NotHere, Turn, run_rounds


class Scripted:
    """A contender with a rate for each round."""

    unit = "postings"

    def __init__(self, name, rates, against=None) -> None:
        self.name, self.rates, self.against = name, list(rates), against

    def turn(self, seconds):
        rate = self.rates.pop(0)
        if rate is None:
            raise NotHere("it fell over")
        return Turn(rate * seconds, seconds, cpu_seconds=0.5, wal_bytes=100)

    def close(self):
        pass


def measured(*contenders, rounds=3):
    return run_rounds(contenders, rounds=rounds, seconds=2.0, chance=random.Random(1))


def test_the_ratio_is_taken_within_each_round():
    """The machine was ten times slower in one round: that says nothing about either of them."""
    series = measured(Scripted("ours", [200, 20, 300], "theirs"), Scripted("theirs", [100, 10, 100]))
    ratio = series["ours"].ratio_to(series["theirs"])
    assert (ratio.median, ratio.least, ratio.greatest) == (2.0, 2.0, 3.0)
    assert series["ours"].rate == 200


def test_who_fails_is_left_out_and_says_why():
    series = measured(Scripted("ours", [1, 1, 1], "theirs"), Scripted("theirs", [1, None]))
    assert series["theirs"].absent == "it fell over"
    assert series["theirs"].rate is None
    assert series["ours"].ratio_to(series["theirs"]) is None


def test_costs_are_for_one_unit():
    series = measured(Scripted("ours", [100, 100, 100]))["ours"]
    assert (series.cpu_each, series.wal_each) == (0.5 / 200, 100 / 200)


def test_the_tables_of_a_run_replace_those_of_the_last(tmp_path):
    document = tmp_path / "benchmarks.md"
    document.write_text("before\n<!-- the latest run -->\nold\n<!-- the end of the latest run -->\nafter\n")
    report = Report("today", {"commit": "abc"}, [Section("Posting", measured(Scripted("ours", [1, 1, 1])))])
    report.goals = [Goal("ours | theirs", "1.00", True)]
    for _ in range(2):
        report.write_into(document)
    text = document.read_text()
    assert text.startswith("before\n<!-- the latest run -->\n### today")
    assert text.endswith("<!-- the end of the latest run -->\nafter\n")
    assert "\nold\n" not in text
    assert "| ours / theirs | 1.00 | holds |" in text
    assert text.count("#### Posting") == 1


def test_a_document_without_a_place_for_a_run_is_not_touched(tmp_path):
    document = tmp_path / "benchmarks.md"
    document.write_text("nothing here")
    with pytest.raises(ValueError, match="has no place for a run"):
        Report("today", {}).write_into(document)
    assert document.read_text() == "nothing here"


def test_clients_are_shared_out_evenly():
    assert shared_out(1, 2) == [1]
    assert shared_out(5, 2) == [3, 2]


def test_sizes_are_told_in_words():
    assert [label(each) for each in (500, 10_000, 5_000_000)] == ["500", "10 k", "5 M"]
