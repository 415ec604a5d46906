"""What a run of the webhooks' benchmark tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import _aligned, _goal, _piped
from bench.webhooks.figures import Figures

BEGIN, END = "<!-- the latest run of webhooks -->", "<!-- the end of the latest run of webhooks -->"


@dataclass
class Report:
    """A whole run."""

    title: str
    facts: Mapping[str, str]
    figures: Figures
    verdict: str

    def as_text(self) -> str:
        lines = [self.title, *(f"{name}: {fact}" for name, fact in self.facts.items()), ""]
        for rows in (self.figures.rows(), self.figures.cost_rows(), self._goals()):
            lines += [*_aligned(rows), ""]
        return "\n".join([*lines, self.verdict])

    def as_markdown(self) -> str:
        lines = [f"### {self.title}", "", *(f"- {name}: {fact}" for name, fact in self.facts.items()), ""]
        for rows in (self.figures.rows(), self.figures.cost_rows(), self._goals()):
            lines += [*_piped(rows), ""]
        return "\n".join([*lines, self.verdict])

    def as_json(self) -> dict[str, Any]:
        figures = self.figures
        return {
            "title": self.title,
            "facts": dict(self.facts),
            "verdict": self.verdict,
            "goals": [
                {"goal": each.text, "found": each.found, "holds": each.holds} for each in figures.goals()
            ],
            "events": figures.events,
            "applied_per_second": figures.rate,
            "seconds_to_last_answer": figures.sending,
            "seconds_to_last_credit": figures.applying,
            "seconds_to_last_letter": figures.clearing,
            "posting_rates": figures.posting_rates,
            "posting_rates_16_clients": figures.crowded_rates,
            "answers": figures.answers,
            "idle_answers": figures.idle_answers,
            "pages": figures.pages,
            "idle_pages": figures.idle_pages,
            "cpu_seconds": figures.costs,
        }

    def write_into(self, document: Path) -> None:
        """Put the tables between the two marks of a document, in place of the last run's."""
        before, begun, rest = document.read_text(encoding="utf-8").partition(BEGIN)
        _, ended, after = rest.partition(END)
        if not begun or not ended:
            raise ValueError(f"{document} has no place for a run: the lines {BEGIN} and {END}.")
        document.write_text(f"{before}{BEGIN}\n{self.as_markdown()}\n{END}{after}", encoding="utf-8")

    def _goals(self) -> list[tuple[str, ...]]:
        return [("goal", "found", ""), *(tuple(_goal(each)) for each in self.figures.goals())]
