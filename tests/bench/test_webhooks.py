"""The storm of webhooks runs, tells what it measured, and would not pass over an event that was lost or doubled."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench.webhooks.figures import Figures, percentile
from bench.webhooks.report import Report
from tests.ops.dev.support import ROOT


def figures(**changes):
    told = {
        "events": 1000,
        "idle_answers": [0.002, 0.003, 0.004],
        "idle_pages": [[0.01] * 99 + [0.02]],
        "posting_rates": [900.0, 1000.0, 1100.0],
        "crowded_rates": [2000.0],
        "answers": [0.01] * 100,
        "pages": [0.03] * 100,
        "sending": 2.0,
        "applying": 4.0,
        "costs": {"web": 2.0, "worker": 3.0},
    }
    return Figures(**(told | changes))


def test_percentiles_are_values_that_were_measured():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(each) for each in range(1, 101)], 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


def test_rates_and_ratios_are_those_of_one_run():
    found = figures()
    assert found.rate == 250
    assert found.share == 0.25
    assert round(found.answer_ratio, 3) == 3.333
    assert found.page_ratio == 3.0


def test_goals_hold_at_their_bounds_and_are_missed_below_them():
    assert [each.holds for each in figures().goals()] == [True, True, True]
    slower = figures(applying=5.0, answers=[0.016] * 100, pages=[0.031] * 100)
    assert [each.holds for each in slower.goals()] == [False, False, False]
    assert figures(applying=1.9, posting_rates=[10_000.0]).goals()[0].holds  # by the rate itself


def test_the_report_has_its_own_place_in_the_document(tmp_path):
    document = tmp_path / "benchmarks.md"
    document.write_text(
        "a\n<!-- the latest run of webhooks -->\nold\n<!-- the end of the latest run of webhooks -->\nb\n"
    )
    report = Report("today", {"commit": "abc"}, figures(), "All is right.")
    for _ in range(2):
        report.write_into(document)
    text = document.read_text()
    assert text.startswith("a\n<!-- the latest run of webhooks -->\n### today")
    assert text.endswith("<!-- the end of the latest run of webhooks -->\nb\n")
    assert "\nold\n" not in text
    assert text.count("All is right.") == 1
    assert "All is right." in report.as_text()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_short_storm_is_applied_exactly_once_and_told(tmp_path):
    file = tmp_path / "run.json"
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "webhooks", "--short", "--not-durable", "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(file.read_text(encoding="utf-8"))
    assert "applied exactly once" in told["verdict"]
    assert "the books were proven" in ran.stdout
    assert len(told["goals"]) == 3
    assert set(told["cpu_seconds"]) >= {"web", "relay", "worker 1", "sandbox", "postgres", "valkey"}
    assert told["seconds_to_last_credit"] > 0
