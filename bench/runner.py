"""Who is faster, and by how much: contenders take short turns in random order, round after round.

A machine is never quiet: checkpoints and neighbours swing absolute rates several times over. So what counts is the
ratio of two contenders within one round, and the median of that over the rounds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol


class NotHere(Exception):
    """A contender that cannot take part; the text says why."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a contender did in one turn: `count` of its units in `seconds`; what it cost the server's processors."""

    count: float
    seconds: float
    cpu_seconds: float | None = None
    wal_bytes: int | None = None
    counted: float | None = None  # units that the costs stand for, where the count leaves out a warm-up

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Contender(Protocol):
    """Something that can be measured. `against` names the contender that it is compared with, if any."""

    name: str
    unit: str
    against: str | None

    def turn(self, seconds: float) -> Turn:
        """Work for about so long. Raises `NotHere` when it cannot."""

    def close(self) -> None: ...


@dataclass
class Series:
    """All turns of one contender, a round each, or why there are none."""

    name: str
    unit: str
    against: str | None
    turns: dict[int, Turn] = field(default_factory=dict)
    absent: str | None = None

    @property
    def rate(self) -> float | None:
        return median(each.rate for each in self.turns.values()) if self.turns else None

    @property
    def cpu_each(self) -> float | None:
        """Seconds of the server's processors for one unit."""
        return _median(_each(turn, turn.cpu_seconds) for turn in self.turns.values())

    @property
    def wal_each(self) -> float | None:
        return _median(_each(turn, turn.wal_bytes) for turn in self.turns.values())

    def ratio_to(self, other: Series) -> Ratio | None:
        ratios = sorted(
            turn.rate / other.turns[number].rate
            for number, turn in self.turns.items()
            if number in other.turns and other.turns[number].rate > 0
        )
        return Ratio(median(ratios), ratios[0], ratios[-1]) if ratios else None


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the rounds, and the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"


def run_rounds(
    contenders: Sequence[Contender],
    *,
    rounds: int,
    seconds: float,
    chance: random.Random,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Series]:
    """Let all take a turn in each round, in another order each time. Who fails is left out from then on."""
    series = {each.name: Series(each.name, each.unit, each.against) for each in contenders}
    for number in range(1, rounds + 1):
        order = [each for each in contenders if series[each.name].absent is None]
        chance.shuffle(order)
        for contender in order:
            try:
                series[contender.name].turns[number] = contender.turn(seconds)
            except NotHere as absence:
                series[contender.name].absent = str(absence)
                series[contender.name].turns.clear()
        say(f"round {number} of {rounds}")
    return series


def counted(clients: int) -> str:
    """`1 client` or `16 clients`."""
    return "1 client" if clients == 1 else f"{clients} clients"


def _each(turn: Turn, cost: float | None) -> float | None:
    counted = turn.count if turn.counted is None else turn.counted
    return cost / counted if cost is not None and counted > 0 else None


def _median(figures: Iterable[float | None]) -> float | None:
    known = [each for each in figures if each is not None]
    return median(known) if known else None
