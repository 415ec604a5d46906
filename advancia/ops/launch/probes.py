"""What the launch check's tries leave behind, and its taking back."""

from __future__ import annotations

from sqlalchemy import delete, select

from advancia.core.db import Session
from advancia.identity.models import CountedTry
from advancia.identity.services import sign_in, sign_up

BY_ADDRESS = (sign_in.BY_ADDRESS.what, sign_up.SIGN_UPS.what)


def forget(session: Session, *, email: str) -> str | None:
    """Give back the tries at that address, and with them those that were counted for where they came from.

    Else the launch check would lock its own machine out, and whoever shares its way to the product. Tells as coming
    from where the product has seen them.
    """
    ours = select(CountedTry.tried_at).where(CountedTry.key == email)
    from_there = CountedTry.what.in_(BY_ADDRESS) & CountedTry.tried_at.in_(ours)
    seen_as: str | None = session.scalar(select(CountedTry.key).where(from_there).limit(1))
    session.execute(delete(CountedTry).where(from_there))
    session.execute(delete(CountedTry).where(CountedTry.key == email))
    return seen_as
