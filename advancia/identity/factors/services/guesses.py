"""How many codes may be wrong: ten an hour for one account, and a hundred in a row until one is right."""

from __future__ import annotations

from datetime import timedelta

from advancia.identity.factors.errors import TooManyCodes
from advancia.identity.services.limits import Counter, Limit

PER_HOUR = Limit("second_factor.account", 10, timedelta(hours=1), refusal=TooManyCodes)
IN_A_ROW = Limit("second_factor.in_a_row", 100, None, refusal=TooManyCodes)  # NIST SP 800-63B-4, 3.2.2


def counters_of(user_id: int) -> tuple[Counter, ...]:
    """Where the wrong codes of that person are counted."""
    return ((PER_HOUR, str(user_id)), (IN_A_ROW, str(user_id)))
