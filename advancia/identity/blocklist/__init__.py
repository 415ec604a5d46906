"""Common and breached passwords, and whether a password is one of them or little more.

The words are 39 763 from two published lists (see `SOURCE.md`) and well-known long ones of our own. They are read
when first needed and kept as one text of 0.3 MB, in which looking for a line takes less than a tenth of a millisecond.
"""

from __future__ import annotations

import gzip
from functools import cache
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parent
SHORTEST_WORD = 4
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
)
# Letters as they are dressed up; the lists know the plain ones.
_UNDRESSED = str.maketrans(
    {"@": "a", "4": "a", "3": "e", "1": "i", "!": "i", "0": "o", "$": "s", "5": "s", "7": "t"}
)


def is_common(word: str) -> bool:
    """Whether the lists hold `word`, which is in normal form and folded to lower case."""
    return len(word) >= SHORTEST_WORD and "\n" not in word and f"\n{word}\n".encode() in _lines()


def is_common_below(word: str) -> bool:
    """Whether `word` is a common one below what is commonly done to it: figures, signs, dressing, doubling."""
    return any(is_common(each) for each in _bare(word))


def is_a_run(word: str) -> bool:
    """Whether nearly all of `word` walks along the alphabet, the figures or a row of keys, or stands still."""
    steps = list(pairwise(squeezed(word)))
    walked = sum(1 for pair in steps if pair in _steps())
    return bool(steps) and walked >= len(steps) * 3 / 4


def squeezed(word: str) -> str:
    """The letters and figures alone."""
    return "".join(char for char in word if char.isalnum())


def repeated_part(word: str) -> str:
    """The shortest part that `word` is a repetition of: all of it, mostly."""
    return word[: (word + word).find(word, 1)]


def _bare(word: str) -> set[str]:
    """What may be the word behind `word`; one that is nothing but figures stays as it is."""
    plain = squeezed(word)
    found = {plain, plain.strip("0123456789"), repeated_part(plain), squeezed(word.translate(_UNDRESSED))}
    found |= {repeated_part(each) for each in found if each}
    undressed = word.rstrip("0123456789!.?*#- ").translate(_UNDRESSED)
    return found | {squeezed(undressed)}


@cache
def _steps() -> frozenset[tuple[str, str]]:
    there = [pair for row in ROWS for pair in pairwise(row)]
    return frozenset([*there, *((after, before) for before, after in there)])


@cache
def _lines() -> bytes:
    listed = gzip.decompress((FOLDER / "common.txt.gz").read_bytes())
    well_known = (FOLDER / "well_known.txt").read_bytes()
    return b"\n" + listed + well_known
