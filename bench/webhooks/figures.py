"""What was measured, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from bench.report import Goal

APPLIED = 500  # a second
SHARE = 0.25  # of the rate of single postings
ANSWER = 5.0  # times the idle median
PAGE = 3.0  # times the idle value


def percentile(values: list[float], share: float) -> float:
    """The smallest of the values that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass
class Figures:
    """All that a run has measured, in seconds, and the rates of its turns of single postings."""

    events: int = 0
    idle_answers: list[float] = field(default_factory=list)
    idle_pages: list[list[float]] = field(default_factory=list)  # a list each turn
    posting_rates: list[float] = field(default_factory=list)
    crowded_rates: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    sending: float = 0.0  # from the first event to the last answer
    applying: float = 0.0  # from the first event to the last credit
    clearing: float = 0.0  # from the first event to the last letter about a credit
    costs: dict[str, float] = field(default_factory=dict)  # seconds of processors

    @property
    def rate(self) -> float:
        return self.events / self.applying

    @property
    def share(self) -> float:
        return self.rate / median(self.posting_rates)

    @property
    def answer_ratio(self) -> float:
        return percentile(self.answers, 0.99) / median(self.idle_answers)

    @property
    def page_ratio(self) -> float:
        return percentile(self.pages, 0.99) / self.idle_page

    @property
    def idle_page(self) -> float:
        return percentile([each for turn in self.idle_pages for each in turn], 0.99)

    def goals(self) -> list[Goal]:
        rate, share = self.rate, self.share
        return [
            Goal(
                f"applied ≥ {APPLIED}/s, or ≥ {SHARE:.0%} of single postings from Python by 1 client",
                f"{rate:,.0f}/s, {share:.0%}",
                rate >= APPLIED or share >= SHARE,
            ),
            Goal(
                f"p99 of the answer ≤ {ANSWER:g} times its idle median",
                f"{self.answer_ratio:.1f}",
                self.answer_ratio <= ANSWER,
            ),
            Goal(
                f"p99 of the wallet page ≤ {PAGE:g} times its idle p99",
                f"{self.page_ratio:.1f}",
                self.page_ratio <= PAGE,
            ),
        ]

    def rows(self) -> list[tuple[str, ...]]:
        """The table for people."""
        turns = sorted(percentile(turn, 0.99) for turn in self.idle_pages)
        return [
            ("", "in the storm", "idle", "ratio"),
            ("events applied", f"{self.rate:,.0f}/s", "", ""),
            ("events answered", f"{self.events / self.sending:,.0f}/s", "", ""),
            _row("single postings, Python API, 1 client", self.posting_rates, self.rate),
            _row("single postings, Python API, 16 clients", self.crowded_rates, self.rate),
            ("time to the last answer", f"{self.sending:.1f} s", "", ""),
            ("time to the last credit", f"{self.applying:.1f} s", "", ""),
            ("time to the last letter about a credit", f"{self.clearing:.1f} s", "", ""),
            ("answer, median", *_times(median(self.answers), median(self.idle_answers))),
            (
                "answer, p99, to the idle median",
                *_times(percentile(self.answers, 0.99), median(self.idle_answers)),
            ),
            (
                "wallet page, median",
                *_times(median(self.pages), median([x for t in self.idle_pages for x in t])),
            ),
            ("wallet page, p99", *_times(percentile(self.pages, 0.99), self.idle_page)),
            (
                "wallet page, p99 of the idle turns",
                "",
                f"{turns[0] * 1e3:.1f} to {turns[-1] * 1e3:.1f} ms",
                "",
            ),
        ]

    def cost_rows(self) -> list[tuple[str, ...]]:
        rows = [(name, f"{spent / self.events * 1e6:,.0f} µs") for name, spent in self.costs.items()]
        total = sum(self.costs.values()) / self.events * 1e6
        return [("process", "processors, each event"), *rows, ("all of them", f"{total:,.0f} µs")]


def _row(name: str, rates: list[float], ours: float) -> tuple[str, ...]:
    told = f"{median(rates):,.0f}/s ({min(rates):,.0f} to {max(rates):,.0f})"
    return (name, "", told, f"{ours / median(rates):.2f}")


def _times(storm: float, idle: float) -> tuple[str, str, str]:
    return (f"{storm * 1e3:.1f} ms", f"{idle * 1e3:.1f} ms", f"{storm / idle:.2f}")
