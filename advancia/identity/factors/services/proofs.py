"""Looking at what somebody brings as a second factor: in turns, and so many wrong ones that nobody can guess.

Ten wrong codes an hour for one account, and a hundred in a row at most until one is right, counted in the database
while the account is locked: tries at once are looked at one after another, and none goes uncounted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from advancia.core.db import Session
from advancia.identity import notices
from advancia.identity.factors.errors import TooManyCodes
from advancia.identity.factors.services import account
from advancia.identity.notices import Notice
from advancia.identity.services import limits
from advancia.identity.services.limits import Limit

PER_HOUR = Limit("second_factor.account", 10, timedelta(hours=1), refusal=TooManyCodes)
IN_A_ROW = Limit("second_factor.in_a_row", 100, None, refusal=TooManyCodes)  # NIST SP 800-63B-4, 3.2.2

Proof = Callable[[Session], bool]

SOMEBODY_KNOWS = (
    "Your password was right each time, and the codes after it were not. If that was not you, somebody knows your "
    "password: change it."
)


def check(session: Session, *, user_id: int, proof: Proof, address: str | None) -> bool:
    """Whether `proof` holds for that person; it is asked once they are locked, and a wrong one is counted.

    The caller commits also when it does not hold, for else the try would go uncounted. Raises `TooManyCodes`.
    """
    account.lock(session, user_id)
    counters = ((PER_HOUR, str(user_id)), (IN_A_ROW, str(user_id)))
    tries = limits.take(session, *counters)
    if proof(session):
        limits.give_back(session, tries)
        limits.forget(session, (IN_A_ROW, str(user_id)))
        return True
    if limits.count(session, PER_HOUR, str(user_id)) >= PER_HOUR.allowed:
        notices.tell(
            session, user_id=user_id, notice=Notice.SIGN_IN_LOCKED, address=address, sentence=SOMEBODY_KNOWS
        )
    return False
