"""Whether somebody with a stopwatch could tell two kinds of answers apart."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from statistics import median

# Over a network, an attacker sees less than that, and so does the next test beside us on the same machine.
NOTICEABLE = 0.10
CHANCE = 0.01  # of each of the two measurements
SHUFFLES = 4_000

Ask = Callable[[], object]


def measured(kinds: dict[str, Ask], *, rounds: int, before: Callable[[], object]) -> dict[str, list[float]]:
    """Ask each kind once a round, in an order drawn anew, so that whatever the machine does meets all of them alike."""
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in random.sample(list(kinds), len(kinds)):
            before()
            began = time.perf_counter()
            kinds[kind]()
            seconds[kind].append(time.perf_counter() - began)
    return seconds


def differs(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the two, measured in the same rounds, differ by more than a tenth, and not by chance.

    Compared are the pairs of each round: how much by the median, and whether by chance with Wilcoxon's signed ranks,
    neither of which a few slow answers move. Were there no difference, each pair could as well stand the other way
    round; so chance is measured by turning them at random.
    """
    pairs = sorted((a - b for a, b in zip(one, other, strict=True)), key=abs)
    if abs(median(pairs)) <= NOTICEABLE * median([*one, *other]):
        return False
    ranks = range(1, len(pairs) + 1)
    found = abs(sum(rank if pair > 0 else -rank for rank, pair in zip(ranks, pairs, strict=True)))
    dice = random.Random(1)
    by_chance = sum(abs(sum(dice.choice((rank, -rank)) for rank in ranks)) >= found for _ in range(SHUFFLES))
    return by_chance / SHUFFLES < CHANCE


def kinds_told_apart(
    kinds: dict[str, Ask], *, like: str, rounds: int = 24, before: Callable[[], object] = lambda: None
) -> dict[str, tuple[float, float]]:
    """The kinds whose time differs from that of `like`, with both medians; empty, if nobody could tell.

    What differs is measured again, longer: a difference of the product stays, and one of the machine goes.
    """
    suspects = [kind for kind in kinds if kind != like]
    seconds: dict[str, list[float]] = {}
    for longer in (1, 2):
        asked = {kind: kinds[kind] for kind in (like, *suspects)}
        seconds = measured(asked, rounds=rounds * longer, before=before)
        suspects = [kind for kind in suspects if differs(seconds[kind], seconds[like])]
        if not suspects:
            return {}
    return {kind: (median(seconds[kind]), median(seconds[like])) for kind in suspects}
