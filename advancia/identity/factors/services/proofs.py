"""Looking at what somebody brings as a second factor: in turns, and so many wrong ones that nobody can guess.

Ten wrong codes an hour for one account, and a hundred in a row at most until one is right, counted in the database
while the account is locked: tries at once are looked at one after another, and none goes uncounted. Passkeys cannot be
guessed, so nobody is kept from using theirs by somebody who guesses codes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from advancia import audit
from advancia.core.db import Session
from advancia.identity import notices
from advancia.identity.factors.services import account
from advancia.identity.factors.services.guesses import IN_A_ROW, PER_HOUR, counters_of
from advancia.identity.notices import Notice
from advancia.identity.services import limits


@dataclass(frozen=True)
class Proof:
    """Something brought as a second factor: whether it `holds`, and whether others of its kind could be guessed."""

    holds: Callable[[Session], bool]
    guessable: bool = True


SOMEBODY_KNOWS = (
    "Your password was right each time, and the codes after it were not. If that was not you, somebody knows your "
    "password: change it."
)


def check(session: Session, *, user_id: int, proof: Proof, address: str | None) -> bool:
    """Whether `proof` holds for that person; it is asked once they are locked, and a wrong one is counted.

    The caller commits also when it does not hold, for else the try would go uncounted. Raises `TooManyCodes`.
    """
    account.lock(session, user_id)
    tries = limits.take(session, *counters_of(user_id)) if proof.guessable else []
    if proof.holds(session):
        limits.give_back(session, tries)
        limits.forget(session, (IN_A_ROW, str(user_id)))
        return True
    audit.record_of_stranger(session, address=address, action="second_factor.failed", kind="user", id=user_id)
    if proof.guessable and limits.count(session, PER_HOUR, str(user_id)) >= PER_HOUR.allowed:
        notices.tell(
            session, user_id=user_id, notice=Notice.SIGN_IN_LOCKED, address=address, sentence=SOMEBODY_KNOWS
        )
    return False
