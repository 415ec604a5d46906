"""Under which references a payment in suspense is credited: one for each time, since a rollback brings it back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, takewhile

from advancia import ledger
from advancia.core.db import Session
from advancia.payments.models import StrayPayment


def newest_credit(session: Session, stray: StrayPayment) -> str:
    """The transaction by which a customer has got it last; the first one that there would be, if nobody has."""
    there = list(takewhile(lambda each: _is_there(session, each), _references(stray)))
    return there[-1] if there else next(_references(stray))


def free_credit(session: Session, stray: StrayPayment) -> str:
    """The one for the next credit. The caller has locked the payment."""
    return next(each for each in _references(stray) if not _is_there(session, each))


def _references(stray: StrayPayment) -> Iterator[str]:
    yield f"deposit:{stray.deposit_id}" if stray.deposit_id else f"stray:{stray.id}:credit"
    yield from (f"stray:{stray.id}:credit:{number}" for number in count(2))


def _is_there(session: Session, reference: str) -> bool:
    return ledger.transaction(session, reference) is not None
