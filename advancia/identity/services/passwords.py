"""Passwords: Argon2id with the parameters that OWASP's Password Storage Cheat Sheet recommends.

Length after NIST SP 800-63B-4: at least 15 characters where the password is the only factor; no rules of
composition; anything may be pasted. Characters are counted and hashed after NFKC, so that the same keys
on another keyboard give the same password.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 15
LONGEST = 256
DIFFERENT_CHARACTERS = 5

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # KiB of memory: 19 MiB
# A storm of sign-ins may not take every core: the pages of those who are signed in come first.
_turns = threading.BoundedSemaphore(2)
# Checked when there is no such account, so that the answer takes as long as if there were one.
_NOBODY = _hasher.hash("nobody has this password")


def hashed(password: str) -> str:
    """The password's hash with its parameters and salt, ready to be stored."""
    with _turns:
        return _hasher.hash(normal(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether `password` belongs to the stored hash. Takes the same time when there is none."""
    with _turns:
        try:
            _hasher.verify(stored or _NOBODY, normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def match_among(stored: Sequence[str | None], password: str) -> int | None:
    """The place of the first stored hash that `password` belongs to; `None` takes the time of all of them."""
    return next((place for place, each in enumerate(stored) if matches(each, password)), None)


def weakness(password: str, *, name: str, email: str) -> str | None:
    """Why this password will not do, in a sentence; `None` if it will."""
    given = normal(password)
    if len(given) < SHORTEST:
        return f"Use at least {SHORTEST} characters. A few words in a row are easy to remember."
    if len(given) > LONGEST:
        return f"Use at most {LONGEST} characters."
    folded = given.casefold()
    own = {email.casefold(), email.partition("@")[0].casefold(), normal(name).casefold()}
    if (
        any(folded.strip("0123456789!. ") == each for each in own if each)
        or len(set(folded)) < DIFFERENT_CHARACTERS
    ):
        return "That is too easy to guess. Use a few words that have nothing to do with your name or address."
    return None


def normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
