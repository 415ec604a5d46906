"""Passwords: Argon2id with the parameters that OWASP's Password Storage Cheat Sheet recommends.

Hashing waits its turn, see `hashing_turns`: each function here may raise `Busy`. Open no transaction around them.
"""

from __future__ import annotations

from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from advancia.identity.services.hashing_turns import HashingTurns
from advancia.identity.services.password_rules import (
    LONGEST,
    LONGEST_TYPED,
    SHORTEST,
    normal,
    rule,
    weakness,
    weakness_for,
)

__all__ = [
    "LONGEST",
    "SHORTEST",
    "hashed",
    "is_outdated",
    "match_among",
    "matches",
    "normal",
    "rule",
    "share_threads",
    "weakness",
    "weakness_for",
]

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # KiB of memory: 19 MiB
# Checked when there is no such account, so that the answer takes as long as if there were one.
_NOBODY = _hasher.hash("nobody has this password")
_turns = [HashingTurns.among(threads=8, processes=1)]


def share_threads(*, threads: int, processes: int) -> None:
    """Tell how many threads answer pages here, and in how many processes like this one, so that some stay free."""
    _turns[0] = HashingTurns.among(threads=threads, processes=processes)


def hashed(password: str) -> str:
    """The password's hash with its parameters and salt, ready to be stored."""
    return _turns[0].take(lambda: _hasher.hash(normal(password)))


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` belongs to the stored hash. Takes the same time when there is none."""
    right = _turns[0].take(lambda: _verified(stored or _NOBODY, password))
    return right and stored is not None


def match_among(stored: Sequence[str | None], password: str) -> int | None:
    """The place of the first stored hash that `password` belongs to; `None` takes the time of all of them."""
    return next((place for place, each in enumerate(stored) if matches(each, password)), None)


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's, and should be made anew from the password."""
    return _hasher.check_needs_rehash(stored)


def _verified(stored: str, password: str) -> bool:
    # No password is longer than that: one more character is enough to tell that this one is not right.
    try:
        return _hasher.verify(stored, normal(password[:LONGEST_TYPED])[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
