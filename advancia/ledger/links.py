"""What transactions have to do with one another: holds and their ends, reversals, refunds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Linked:
    """The other transaction of a link. `is_undone`: another one has put back what it moved."""

    id: int
    reference: str
    kind: str
    created_at: datetime
    is_undone: bool


@dataclass(slots=True)
class Links:
    """All links of one transaction, seen from it."""

    resolves: Linked | None = None
    resolved_by: Linked | None = None
    reverses: Linked | None = None
    reversed_by: Linked | None = None
    refunds: Linked | None = None
    refunded_by: list[Linked] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    @property
    def is_rolled_back(self) -> bool:
        """Whether staff have undone it; coins that are given back undo their deposit as well, and are a refund."""
        return self.reversed_by is not None and self.reversed_by.kind == "reversal"

    @property
    def is_refunded(self) -> bool:
        """Whether money of it is given back, by a refund that stands."""
        undone = [self.reversed_by] if self.reversed_by and self.reversed_by.kind == "refund" else []
        return any(not refund.is_undone for refund in (*undone, *self.refunded_by))


# Each half is a few reads of an index; `is not null` names the partial index that holds the rows with a link.
# A mirror cannot be mirrored: what undoes the mirror that gave coins back is linked by its reference alone.
LINKS_OF = text("""
    select u.id as of_id, u.how, o.id, o.reference, o.kind, o.created_at,
        exists (select from ledger.txn t where t.reverses_id = o.id and t.reverses_id is not null)
        or exists (select from ledger.txn t where t.reference = o.reference || '\\:undone') as is_undone
    from unnest(cast(:ids as bigint[])) a (id)
    cross join lateral (
        select t.id, v.how, v.other_id
        from ledger.txn t
        cross join lateral (
            values ('resolves', t.resolves_id), ('reverses', t.reverses_id), ('refunds', t.refunds_id)
        ) v (how, other_id)
        where t.id = a.id and v.other_id is not null
        union all
        select a.id, 'resolved_by', t.id from ledger.txn t where t.resolves_id = a.id and t.resolves_id is not null
        union all
        select a.id, 'reversed_by', t.id from ledger.txn t where t.reverses_id = a.id and t.reverses_id is not null
        union all
        select a.id, 'refunded_by', t.id from ledger.txn t where t.refunds_id = a.id and t.refunds_id is not null
    ) u
    join ledger.txn o on o.id = u.other_id
    order by o.id
""")


def links_of(session: Session, txn_ids: Collection[int]) -> dict[int, Links]:
    """The links of each of those transactions; one without any has an empty `Links`."""
    found = {txn_id: Links() for txn_id in txn_ids}
    for row in session.execute(LINKS_OF, {"ids": list(found)}) if found else ():
        other = Linked(row.id, row.reference, row.kind, row.created_at, row.is_undone)
        if row.how == "refunded_by":
            found[row.of_id].refunded_by.append(other)
        else:
            setattr(found[row.of_id], row.how, other)
    return found
