"""Which passwords will do, after NIST SP 800-63B-4.

At least 15 characters where the password is the only factor, 8 beside a second one; no rules of composition;
anything may be pasted. Characters are counted after NFKC, so that the same keys on another keyboard give the same
password. What is refused is what those who guess try first, and each refusal says which of these it is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from advancia.identity import blocklist

SHORTEST = 15
SHORTEST_WITH_FACTOR = 8
LONGEST = 256
LONGEST_TYPED = 4 * LONGEST  # composing shortens a text to a quarter at most, and takes long for longer ones
DIFFERENT_CHARACTERS = 5
SHORTEST_OWN_WORD = 3
LETTERS_OF_ITS_OWN = 4
PRODUCT = "advancia"

HOW = "A few words in a row are easy to remember."
GOOD = "This password will do."
TOO_LONG = f"Use at most {LONGEST} characters."
REPEATED = "That is too easy to guess: it repeats the same few characters."
A_RUN = "That is too easy to guess: its characters stand in a row in the alphabet or on the keyboard."
COMMON = "That is too easy to guess: it is on the lists of common and stolen passwords."
NEARLY_COMMON = "That is too easy to guess: it is little more than a common or stolen password."
OWN = "That is too easy to guess: it is made of your own name, handle or address."
PRODUCTS = "That is too easy to guess: it is made of our name."


@dataclass(frozen=True)
class Owner:
    """Whose password it is to be: what others know of them, and whether a second factor stands beside it."""

    name: str
    email: str
    handle: str = ""
    second_factor: bool = False

    @property
    def shortest(self) -> int:
        return SHORTEST_WITH_FACTOR if self.second_factor else SHORTEST

    @property
    def words(self) -> set[str]:
        """Their name, handle and address, whole and in parts, as letters and figures in lower case."""
        texts = [normal(each).casefold() for each in (self.name, self.handle, self.email)]
        texts += [part for each in texts for part in re.split(r"[\W_]+", each)]
        texts.append(texts[2].partition("@")[0])
        return {word for word in map(blocklist.squeezed, texts) if len(word) >= SHORTEST_OWN_WORD}


def rule(owner: Owner) -> str:
    """What is asked of the length, in words."""
    return f"At least {owner.shortest} characters. {HOW}"


def normal(password: str) -> str:
    """The password in the form in which it is counted and hashed."""
    return unicodedata.normalize("NFKC", password)


def weakness(
    password: str, *, name: str, email: str, handle: str = "", second_factor: bool = False
) -> str | None:
    """Why this password will not do, in a sentence; `None` if it will.

    `second_factor` tells whether the person has enrolled one.
    """
    return weakness_for(Owner(name, email, handle, second_factor), password)


def weakness_for(owner: Owner, password: str) -> str | None:
    """As `weakness`, for somebody who is known already."""
    given = normal(password[:LONGEST_TYPED])
    if len(given) < owner.shortest:
        return f"Use {rule(owner)[0].lower()}{rule(owner)[1:]}"
    if len(given) > LONGEST or len(password) > LONGEST_TYPED:
        return TOO_LONG
    return _guessable(given.casefold(), owner)


def _guessable(word: str, owner: Owner) -> str | None:
    if len(set(word)) < DIFFERENT_CHARACTERS or len(blocklist.repeated_part(word)) < owner.shortest / 2:
        return REPEATED
    if blocklist.is_common(word) or blocklist.is_common(blocklist.squeezed(word)):
        return COMMON
    if blocklist.is_a_run(word):
        return A_RUN
    if reason := _personal(blocklist.squeezed(word), owner):
        return reason
    return NEARLY_COMMON if blocklist.is_common_below(word) else None


def _personal(plain: str, owner: Owner) -> str | None:
    """Whether hardly anything is left once the words that everybody knows of them, and of us, are taken out."""
    if _is_made_of(plain, owner.words):
        return OWN
    if _is_made_of(plain, {PRODUCT}):
        return PRODUCTS
    return OWN if _is_made_of(plain, {PRODUCT, *owner.words}) else None


def _is_made_of(plain: str, words: set[str]) -> bool:
    rest = plain
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    letters = sum(not char.isdigit() for char in rest)
    return rest != plain and (letters < LETTERS_OF_ITS_OWN or blocklist.is_common_below(rest))
