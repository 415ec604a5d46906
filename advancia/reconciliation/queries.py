"""What pages, mails and the command show of runs and differences."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import aliased

from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.permissions import Permission, Role, permissions_of
from advancia.identity.models import User
from advancia.reconciliation import keeping
from advancia.reconciliation.found import Side
from advancia.reconciliation.models import ReconciliationDifference as Difference
from advancia.reconciliation.models import ReconciliationFinding as Finding
from advancia.reconciliation.models import ReconciliationItem as Item
from advancia.reconciliation.models import ReconciliationRun as Run
from advancia.reconciliation.shown import Colleague, DifferenceRow, Shown, Wanted

LARGEST_ID = 2**63 - 1
MOST_TOLD = 100
MOST_ITEMS = 50

_asker, _signer, _holder, _resolver = (aliased(User) for _ in range(4))


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
        (Difference.side, wanted.side),
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
