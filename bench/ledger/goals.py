"""What the ledger is to reach, in figures of one and the same run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.ledger.scale import Scale
from bench.report import Goal, told_rate
from bench.runner import Series, counted

SLOWEST_FILTER = 0.005  # seconds
SEALED = 300_000  # entries a second
PROVEN = 5_000_000  # entries a second


@dataclass(frozen=True, slots=True)
class Goals:
    """The goals over the series of a run."""

    found: Mapping[str, Series]
    scale: Scale

    def all(self) -> list[Goal]:
        return [*self._posting(), *self._batches(), *self._reads(), *self._proof()]

    def _posting(self) -> list[Goal]:
        clients = self.scale.many_clients
        uniform, hot = (f"ledger.post, {each}, {counted(clients)}" for each in ("uniform", "hot"))
        api = f"Python API, {counted(clients)}"
        return [
            self._at_least(1.3, uniform, f"min, {counted(clients)}"),
            self._at_least(1.0, hot, uniform),
            self._at_least(10, api, f"django-hordak, {counted(clients)}"),
            self._at_least(0.75, "Python API, 1 client", "psycopg, 1 client"),
            self._at_least(0.75, api, f"psycopg, {counted(clients)}"),
            # What cannot be measured lies within the spread.
            self._at_least(1.0, f"{uniform}, sealed", uniform, within_spread=True),
        ]

    def _batches(self) -> list[Goal]:
        size, clients = self.scale.middle_batch, self.scale.batch_clients[-1]
        atomic = f"post_many of {size}, atomic, {counted(clients)}"
        refused = f"post_many of {size}, each by itself, 5% refused, {counted(clients)}"
        return [
            self._at_least(5, atomic, f"pgbench TPC-B, {counted(self.scale.many_clients)}"),
            self._at_least(0.9, refused, atomic),
        ]

    def _reads(self) -> list[Goal]:
        small, large = self.scale.labels[0], self.scale.labels[-1]
        return [
            self._at_most_as_long(1.1, f"first page, {large}", f"first page, {small}"),
            self._at_most_as_long(
                1.1, f"page in the middle, deep history, {large}", f"first page, deep history, {large}"
            ),
            self._every_filter(large),
        ]

    def _every_filter(self, label: str) -> Goal:
        text = f"every filter at {label} entries ≤ {SLOWEST_FILTER * 1e3:.0f} ms"
        measured = [
            (1 / each.rate, name, each)
            for name, each in self.found.items()
            if name.startswith("filter:") and name.endswith(f", {label}") and each.rate
        ]
        if not measured:
            return Goal(text, "", None)
        slowest, name, series = max(measured, key=lambda each: each[0])
        return Goal(text, f"{told_rate(series)}: {name}", slowest <= SLOWEST_FILTER)

    def _proof(self) -> list[Goal]:
        medium, large = self.scale.labels[-2], self.scale.labels[-1]
        full, grouped = f"full check, {large}", f"sum and count by account, {large}"
        quick = f"quick check of {self.scale.news} transactions"
        return [
            self._full_check(f"accounts of the {full}", grouped),
            self._full_check(full, grouped),
            self._at_least(0.9, full, f"full check, {medium}"),
            self._at_most_as_long(1.1, f"{quick}, {large}", f"{quick}, {medium}"),
            self._rate_at_least(SEALED, f"sealing, {large}"),
        ]

    def _full_check(self, full: str, grouped: str) -> Goal:
        text = f"{full} ≥ {PROVEN:,} entries/s, or ≥ 0.8 times {grouped}"
        series, other = self.found.get(full), self.found.get(grouped)
        ratio = series.ratio_to(other) if series and other else None
        if series is None or series.rate is None or ratio is None:
            return Goal(text, "", None)
        return Goal(text, f"{told_rate(series)}, {ratio}", series.rate >= PROVEN or ratio.median >= 0.8)  # noqa: PLR2004

    def _rate_at_least(self, least: int, name: str) -> Goal:
        series = self.found.get(name)
        text = f"{name} ≥ {least:,}/s"
        if series is None or series.rate is None:
            return Goal(text, "", None)
        return Goal(text, told_rate(series), series.rate >= least)

    def _at_least(self, least: float, name: str, other: str, *, within_spread: bool = False) -> Goal:
        text = f"{name} ≥ {least:g} times {other}"
        series, against = self.found.get(name), self.found.get(other)
        ratio = series.ratio_to(against) if series and against else None
        if ratio is None:
            return Goal(text, "", None)
        return Goal(text, str(ratio), (ratio.greatest if within_spread else ratio.median) >= least)

    def _at_most_as_long(self, most: float, name: str, other: str) -> Goal:
        text = f"{name} takes ≤ {most:g} times {other}"
        series, against = self.found.get(name), self.found.get(other)
        ratio = against.ratio_to(series) if series and against else None
        return Goal(text, "", None) if ratio is None else Goal(text, str(ratio), ratio.median <= most)
