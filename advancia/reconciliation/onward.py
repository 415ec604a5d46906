"""What corrections have put into suspense: it waits there until staff send it on, to a customer or to the house.

All of it is read from the ledger. A correction or a sending on that was rolled back counts as if it had not been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, text

from advancia import audit, ledger
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.large_amounts import is_large
from advancia.core.money import Money, asset
from advancia.reconciliation import corrections
from advancia.reconciliation.errors import AlreadySentOn, OwnCorrection
from advancia.reconciliation.models import ReconciliationDifference as Difference

HOUSE = ledger.house(corrections.TREASURY)

# Only what came from a provider waits for its owner; the checks of suspense tell the two apart in the same way.
_WAITING = text(r"""
    select d.id, d.words, d.reason, d.resolved_by, d.closed_at as since, e.asset, e.amount,
           (select count(*) from ledger.txn o
            where o.reference >= t.reference || '\:onward' and o.reference < t.reference || '\:onward;') as sent
    from ledger.txn t
    join ledger.entry e on e.txn_id = t.id
    join ledger.account a on a.id = e.account_id and a.holder = 0 and a.purpose = 'suspense'
    join reconciliation_difference d on d.id = cast(split_part(t.reference, ':', 2) as bigint)
    where t.reference >= 'reconciliation:' and t.reference < 'reconciliation;' and d.posting = t.reference
      and (cast(:difference_id as text) is null or t.reference = 'reconciliation:' || cast(:difference_id as text))
      and e.amount > 0
      and exists (select from ledger.entry x join ledger.account y on y.id = x.account_id
                  where x.txn_id = t.id and y.holder = 0 and y.purpose like 'clearing.%')
      and not exists (select from ledger.txn v where v.reverses_id = t.id)
      and not exists (select from ledger.txn o
                      where o.reference >= t.reference || '\:onward' and o.reference < t.reference || '\:onward;'
                        and not exists (select from ledger.txn v where v.reverses_id = o.id))
    order by t.id desc
""")


@dataclass(frozen=True)
class Lying:
    """Money that lies in suspense since a difference was put right. `sent`: how often it was sent on, and came back."""

    difference_id: int
    amount: Money
    words: str
    reason: str
    since: datetime
    resolved_by: int
    sent: int


def waiting(session: Session) -> Sequence[Lying]:
    """All of it, the newest first."""
    return [_lying(row) for row in session.execute(_WAITING, {"difference_id": None})]


def of_difference(session: Session, difference_id: int) -> Lying | None:
    """What lies in suspense since that difference was put right; None if nothing does."""
    row = session.execute(_WAITING, {"difference_id": str(difference_id)}).first()
    return None if row is None else _lying(row)


def send_on(
    session: Session, *, actor: Actor, difference_id: int, user_id: int | None, reason: str
) -> ledger.Posted:
    """Credit it to a customer, or without one leave it to the house; once.

    Raises `AlreadySentOn`, and `OwnCorrection` where it is much and the same person had put it there: that takes two.
    """
    if session.get(Difference, difference_id, with_for_update=True, populate_existing=True) is None:
        raise NotFound("There is no such difference.")
    lying = of_difference(session, difference_id)
    if lying is None:
        raise AlreadySentOn
    if is_large(lying.amount) and lying.resolved_by == actor.user_id:
        raise OwnCorrection
    destination = HOUSE if user_id is None else ledger.available(user_id)
    audit.record(
        session,
        actor,
        action="difference.sent_on",
        kind="difference",
        id=difference_id,
        after={"amount": str(lying.amount), "user_id": user_id},
        reason=reason,
    )
    return ledger.post(
        session,
        reference=_reference(lying),
        kind="reconciliation" if user_id is None else "deposit",
        postings=[ledger.Posting(ledger.house(corrections.SUSPENSE), destination, lying.amount)],
        meta={"difference": difference_id, "reason": reason},
    )


def _reference(lying: Lying) -> str:
    first = f"{corrections.reference_of(lying.difference_id)}:onward"
    return f"{first}:{lying.sent + 1}" if lying.sent else first


def _lying(row: Row[int]) -> Lying:
    return Lying(
        difference_id=row.id,
        amount=Money(int(row.amount), asset(row.asset)),
        words=row.words,
        reason=row.reason,
        since=row.since,
        resolved_by=row.resolved_by,
        sent=row.sent,
    )
