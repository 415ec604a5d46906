"""Runs and differences as pages, mails and the command show them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import aliased

from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.money import ASSETS, Money
from advancia.core.permissions import Permission, Role, permissions_of
from advancia.identity.models import User
from advancia.reconciliation import keeping
from advancia.reconciliation.found import Side
from advancia.reconciliation.models import ReconciliationDifference as Difference
from advancia.reconciliation.models import ReconciliationFinding as Finding
from advancia.reconciliation.models import ReconciliationItem as Item
from advancia.reconciliation.models import ReconciliationRun as Run

LARGEST_ID = 2**63 - 1
MOST_TOLD = 100
MOST_ITEMS = 50

KIND_WORDS = {
    "missing_here": "Missing in our books",
    "missing_there": "Missing on the other side",
    "amount": "Another amount",
    "fee": "Another fee",
    "currency": "Another currency",
    "duplicate": "Booked twice",
    "timing": "In flight",
    "state": "Another state",
    "balance": "Another balance",
    "sum": "Does not sum up",
    "hold": "Wrongly held",
    "floor": "Below its floor",
    "seal": "Broken seal",
    "stuck": "Stuck",
}
VERDICT_WORDS = {
    "running": "The reconciliation is at work.",
    "matched": "The reconciliation matches: everything agrees.",
    "alarm": "The reconciliation could not compare everything, so nothing is proven.",
    "failed": "The reconciliation came to no end.",
}
_asker, _signer, _holder, _resolver = (aliased(User) for _ in range(4))


def money_of(minor: int | Decimal, code: str | None) -> Money | None:
    """The amount, if the books keep such an asset: a provider may tell of others."""
    return Money(int(minor), ASSETS[code]) if code in ASSETS else None


@dataclass(frozen=True)
class CheckLine:
    """What one check of a run has looked at. `whole` is false when more differed than are kept."""

    side: str
    check: str
    words: str
    provider: str | None
    compared: int
    differing: int
    alarm: str | None
    whole: bool

    @property
    def matched(self) -> int:
        return max(self.compared - self.differing, 0)


@dataclass(frozen=True)
class Part:
    """How far a part of a run that is at work has come."""

    name: str
    words: str
    done: int
    of: int | None
    is_over: bool


@dataclass(frozen=True)
class Shown:
    """A run with its verdict, what it has looked at, and its people."""

    id: int
    kind: str
    state: str
    provider: str | None
    window_from: datetime
    window_upto: datetime
    snapshot_at: datetime | None
    begun_at: datetime
    finished_at: datetime | None
    failure: str | None
    asked_by: int | None
    asker: str | None
    signed_off_by: int | None
    signed_off_at: datetime | None
    signer: str | None
    note: str | None
    summary: dict[str, Any]
    progress: dict[str, Any]

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    @property
    def version(self) -> str:
        """Changes with everything that its page shows of it."""
        told = json.dumps([self.state, self.progress, self.signed_off_by], sort_keys=True)
        return f"{self.id}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    @property
    def has_verdict(self) -> bool:
        return self.state in ("matched", "differs", "alarm")

    @property
    def checks(self) -> list[CheckLine]:
        names = CheckLine.__dataclass_fields__
        return [CheckLine(**{name: each[name] for name in names}) for each in self.summary.get("checks", ())]

    def checks_of(self, side: str) -> list[CheckLine]:
        return [each for each in self.checks if each.side == side]

    @property
    def alarms(self) -> Sequence[str]:
        return list(self.summary.get("alarms", ()))

    @property
    def compared(self) -> int:
        return sum(each.compared for each in self.checks)

    @property
    def differing(self) -> int:
        return sum(each.differing for each in self.checks)

    @property
    def open(self) -> int:
        """How many differences were open at its end, but for those in flight."""
        return int(self.summary.get("open", 0))

    @property
    def verdict_words(self) -> str:
        if self.state == "differs":
            return (
                f"The reconciliation differs: {_counted(self.open, 'difference is', 'differences are')} open."
            )
        return VERDICT_WORDS[self.state]

    @property
    def timing(self) -> int:
        return int(self.summary.get("timing", 0))

    @property
    def resolved(self) -> int:
        return int(self.summary.get("resolved", 0))

    @property
    def passed(self) -> int:
        """How many that were open before it no longer found."""
        return int(self.summary.get("passed", 0))

    @property
    def parts(self) -> list[Part]:
        return [_part(name, told) for name, told in sorted(self.progress.items())]


@dataclass(frozen=True)
class DifferenceRow:
    """A difference with the names of its people."""

    id: int
    run_id: int
    side: str
    check: str
    kind: str
    words: str
    provider: str | None
    our_ref: str | None
    their_ref: str | None
    asset: str | None
    our_amount: int | None
    their_amount: int | None
    happened_at: datetime | None
    found_at: datetime
    state: str
    assigned_to: int | None
    holder: str | None
    resolved_by: int | None
    resolver: str | None
    reason: str | None
    posting: str | None
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.state in ("open", "assigned")

    @property
    def kind_words(self) -> str:
        return KIND_WORDS.get(self.kind, self.kind)

    @property
    def ours(self) -> Money | None:
        return self._money(self.our_amount)

    @property
    def theirs(self) -> Money | None:
        return self._money(self.their_amount)

    @property
    def apart(self) -> Money | None:
        """By how much the other side is above ours; a side that has nothing counts as zero."""
        if self.our_amount is None and self.their_amount is None:
            return None
        return self._money((self.their_amount or 0) - (self.our_amount or 0))

    def _money(self, minor: int | None) -> Money | None:
        return None if minor is None else money_of(minor, self.asset)


@dataclass(frozen=True)
class Wanted:
    """Which differences a list shows; `None` means all. The state "unresolved" is open or assigned."""

    run_id: int | None = None
    state: str | None = None
    kind: str | None = None
    check: str | None = None
    provider: str | None = None


@dataclass(frozen=True)
class Colleague:
    """Somebody of the staff who may reconcile."""

    id: int
    name: str
    role: str


def runs(session: Session, *, state: str | None, before: int | None, limit: int) -> list[Shown]:
    """A page of them, the newest first, below the id `before`."""
    chosen = _runs()
    if state:
        chosen = chosen.where(Run.state == state)
    if before is not None:
        chosen = chosen.where(Run.id < before)
    return [_shown(row) for row in session.execute(chosen.order_by(Run.id.desc()).limit(limit))]


def run(session: Session, run_id: int) -> Shown:
    """Raises `NotFound`."""
    row = session.execute(_runs().where(Run.id == run_id)).one_or_none() if run_id <= LARGEST_ID else None
    if row is None:
        raise NotFound("There is no such run.")
    return _shown(row)


def latest(session: Session) -> Shown | None:
    """The newest run that has come to an end."""
    row = session.execute(_runs().where(Run.state != "running").order_by(Run.id.desc()).limit(1)).first()
    return None if row is None else _shown(row)


def differences(
    session: Session, wanted: Wanted, *, before: int | None = None, limit: int
) -> list[DifferenceRow]:
    """A page of them, the newest first, below the id `before`."""
    conditions = _conditions(wanted)
    if before is not None:
        conditions.append(Difference.id < before)
    chosen = _differences().where(*conditions).order_by(Difference.id.desc()).limit(limit)
    return [_difference_row(row) for row in session.execute(chosen)]


def difference(session: Session, difference_id: int) -> DifferenceRow:
    """Raises `NotFound`."""
    is_possible = difference_id <= LARGEST_ID
    row = (
        session.execute(_differences().where(Difference.id == difference_id)).one_or_none()
        if is_possible
        else None
    )
    if row is None:
        raise NotFound("There is no such difference.")
    return _difference_row(row)


def runs_that_saw(session: Session, difference_id: int, *, limit: int) -> Sequence[int]:
    """The ids of the newest runs that found it."""
    return session.scalars(
        select(Finding.run_id)
        .where(Finding.difference_id == difference_id)
        .order_by(Finding.run_id.desc())
        .limit(limit)
    ).all()


def items_of(session: Session, row: DifferenceRow) -> Sequence[Item]:
    """Both sides' lines behind a difference with a provider, of the newest run that found it; kept for thirty days."""
    if row.side != Side.OUTSIDE:
        return []
    newest = select(func.max(Finding.run_id)).where(Finding.difference_id == row.id).scalar_subquery()
    names = [each for each in (row.our_ref, row.their_ref) if each]
    refs = (
        select(Item.ref)
        .where(Item.run_id == newest, Item.provider == row.provider)
        .where(Item.item_id.in_(names) | Item.ref.in_(names) | Item.reference.in_(names))
    )
    return session.scalars(
        select(Item)
        .where(Item.run_id == newest, Item.provider == row.provider, Item.ref.in_(refs))
        .order_by(Item.side, Item.happened_at, Item.id)
        .limit(MOST_ITEMS)
    ).all()


def colleagues(session: Session) -> list[Colleague]:
    """Everybody to whom a difference may be given."""
    roles = [role for role in Role if Permission.RECONCILE in permissions_of(role)]
    rows = session.execute(
        select(User.id, User.name, User.role)
        .where(User.role.in_(roles), User.suspended_at.is_(None))
        .order_by(User.name, User.id)
    )
    return [Colleague(*row) for row in rows]


def resolvers_in(session: Session, run_id: int) -> set[int]:
    """Who has resolved something in that run."""
    chosen = select(Difference.resolved_by).where(
        keeping.seen_in(run_id), Difference.resolved_by.is_not(None)
    )
    return {each for each in session.scalars(chosen) if each is not None}


def open_in(session: Session, run_id: int) -> int:
    """How many of the differences that a run has seen are still open now."""
    chosen = select(func.count()).select_from(Difference).where(keeping.seen_in(run_id), keeping.IS_OPEN)
    return session.scalar(chosen) or 0


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    asked = (
        (Difference.kind, wanted.kind),
        (Difference.check, wanted.check),
        (Difference.provider, wanted.provider),
    )
    conditions: list[ColumnElement[bool]] = [column == value for column, value in asked if value]
    if wanted.run_id is not None:
        conditions.append(keeping.seen_in(wanted.run_id))
    if wanted.state == "unresolved":
        conditions.append(keeping.IS_OPEN)
    elif wanted.state:
        conditions.append(Difference.state == wanted.state)
    return conditions


def _counted(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"


def _runs() -> Select[Run, str, str]:
    return (
        select(Run, _asker.name.label("asker"), _signer.name.label("signer"))
        .outerjoin(_asker, _asker.id == Run.asked_by)
        .outerjoin(_signer, _signer.id == Run.signed_off_by)
        .execution_options(populate_existing=True)
    )


def _shown(row: Row[Run, str, str]) -> Shown:
    found: Run = row[0]
    own = {name: getattr(found, name) for name in Shown.__dataclass_fields__ if hasattr(Run, name)}
    return Shown(**own, asker=row.asker, signer=row.signer)


def _part(name: str, told: dict[str, Any]) -> Part:
    return Part(
        name=name,
        words=str(told.get("words", name)),
        done=int(told.get("done") or 0),
        of=told.get("of"),
        is_over=bool(told.get("over")),
    )


def _differences() -> Select[Difference, str, str]:
    return (
        select(Difference, _holder.name.label("holder"), _resolver.name.label("resolver"))
        .outerjoin(_holder, _holder.id == Difference.assigned_to)
        .outerjoin(_resolver, _resolver.id == Difference.resolved_by)
        .execution_options(populate_existing=True)
    )


def _difference_row(row: Row[Difference, str, str]) -> DifferenceRow:
    found: Difference = row[0]
    own = {
        name: getattr(found, name)
        for name in DifferenceRow.__dataclass_fields__
        if name not in ("holder", "resolver", "our_amount", "their_amount")
    }
    return DifferenceRow(
        **own,
        our_amount=None if found.our_amount is None else int(found.our_amount),
        their_amount=None if found.their_amount is None else int(found.their_amount),
        holder=row.holder,
        resolver=row.resolver,
    )
