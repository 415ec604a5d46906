"""What a run found, for people, for programs and for the docs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

from bench.runner import Ratio, Series

BEGIN, END = "<!-- the latest run -->", "<!-- the end of the latest run -->"
MOST_TOLD = 60  # characters of why somebody is absent; the JSON tells all
QUICK = 1000  # calls a second, above which they are told in microseconds


@dataclass(frozen=True, slots=True)
class Goal:
    """What we want of a figure, and what it is. `holds` is `None` when it was not measured."""

    text: str
    found: str
    holds: bool | None


@dataclass
class Section:
    """One question of the run, and everybody's answer to it."""

    title: str
    series: dict[str, Series]
    remarks: list[str] = field(default_factory=list)


@dataclass
class Report:
    """A whole run."""

    title: str
    facts: Mapping[str, str]
    sections: list[Section] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def all_series(self) -> dict[str, Series]:
        return {name: each for section in self.sections for name, each in section.series.items()}

    def as_text(self) -> str:
        lines = [self.title, *(f"{name}: {fact}" for name, fact in self.facts.items())]
        for section in self.sections:
            lines += ["", section.title, *_aligned(_table(section, self.all_series())), *section.remarks]
        lines += ["", "Goals", *_aligned([("goal", "found", ""), *map(_goal, self.goals)])]
        return "\n".join(lines)

    def as_markdown(self) -> str:
        lines = [f"### {self.title}", "", *(f"- {name}: {fact}" for name, fact in self.facts.items())]
        for section in self.sections:
            lines += ["", f"#### {section.title}", "", *_piped(_table(section, self.all_series()))]
            lines += ["", *section.remarks] if section.remarks else []
        lines += ["", "#### Goals", "", *_piped([("goal", "found", ""), *map(_goal, self.goals)])]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "facts": dict(self.facts),
            "sections": [
                {
                    "title": section.title,
                    "remarks": section.remarks,
                    "contenders": [_figures(each, self.all_series()) for each in section.series.values()],
                }
                for section in self.sections
            ],
            "goals": [{"goal": each.text, "found": each.found, "holds": each.holds} for each in self.goals],
        }

    def write_into(self, document: Path) -> None:
        """Put the tables between the two marks of a document, in place of the last run's."""
        text = document.read_text(encoding="utf-8")
        before, begun, rest = text.partition(BEGIN)
        _, ended, after = rest.partition(END)
        if not begun or not ended:
            raise ValueError(f"{document} has no place for a run: the lines {BEGIN} and {END}.")
        document.write_text(f"{before}{BEGIN}\n{self.as_markdown()}\n{END}{after}", encoding="utf-8")


Row = Sequence[str]


def _table(section: Section, everybody: Mapping[str, Series]) -> list[Row]:
    rows: list[Row] = [("", "median", "ratio (spread)", "to", "CPU each", "WAL each")]
    return rows + [_row(each, everybody) for each in section.series.values()]


def _row(each: Series, everybody: Mapping[str, Series]) -> Row:
    if each.absent is not None or each.rate is None:
        return (each.name, "absent", shorten(each.absent or "", MOST_TOLD, placeholder=" …"), "", "", "")
    ratio = _ratio(each, everybody)
    return (
        each.name,
        told_rate(each),
        "" if ratio is None else str(ratio),
        "" if ratio is None else each.against or "",
        "" if not each.cpu_each else f"{each.cpu_each * 1e6:,.0f} µs",
        "" if not each.wal_each else f"{each.wal_each:,.0f} B",
    )


def told_rate(each: Series) -> str:
    """How many a second; for what is asked and waited for, how long one takes."""
    if each.rate is None:
        return "absent"
    if each.unit in ("calls", "checks"):
        return f"{1e6 / each.rate:,.0f} µs" if each.rate > QUICK else f"{1e3 / each.rate:,.1f} ms"
    return f"{each.rate:,.0f} {each.unit}/s"


def _ratio(each: Series, everybody: Mapping[str, Series]) -> Ratio | None:
    other = everybody.get(each.against or "")
    return None if other is None else each.ratio_to(other)


def _goal(goal: Goal) -> Row:
    return (goal.text, goal.found, {True: "holds", False: "missed", None: "not measured"}[goal.holds])


def _figures(each: Series, everybody: Mapping[str, Series]) -> dict[str, Any]:
    ratio = _ratio(each, everybody)
    return {
        "name": each.name,
        "unit": each.unit,
        "absent": each.absent,
        "rate": each.rate,
        "cpu_seconds_each": each.cpu_each,
        "wal_bytes_each": each.wal_each,
        "against": each.against,
        "ratio": ratio and {"median": ratio.median, "least": ratio.least, "greatest": ratio.greatest},
        "rounds": [
            {"round": number, "count": turn.count, "seconds": turn.seconds}
            for number, turn in each.turns.items()
        ],
    }


def _aligned(rows: Iterable[Row]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _piped(rows: Iterable[Row]) -> list[str]:
    heading, *rest = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return [heading, "|" + "---|" * (heading.count("|") - 1), *rest]
