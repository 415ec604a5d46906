"""Keeping what a run has found: a difference is one row from its first night until somebody has resolved it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from advancia.core.db import Session
from advancia.reconciliation.found import Found, Kind, Side
from advancia.reconciliation.models import ReconciliationDifference as Difference
from advancia.reconciliation.models import ReconciliationFinding as Finding
from advancia.reconciliation.models import ReconciliationItem as Item
from advancia.reconciliation.models import ReconciliationRun as Run

AT_ONCE = 500
FORGOTTEN_AT_ONCE = 50_000
IS_OPEN = Difference.state.in_(("open", "assigned"))


def keep(session: Session, run_id: int, found: Iterable[Found]) -> int:
    """Store what a run has found and return how many differences that were; repeatable.

    What was open before is carried on, with its assignment, and told anew. What was resolved stays resolved as long as
    its amounts are the same.
    """
    kept = 0
    each_once = iter({one.key: one for one in found}.values())
    for some in _by(each_once, AT_ONCE):
        settled = _resolved_before(session, some)
        ids = [
            *settled.values(),
            *_open_ones(session, run_id, [one for one in some if one.key not in settled]),
        ]
        rows = [{"run_id": run_id, "difference_id": each} for each in ids]
        session.execute(insert(Finding).values(rows).on_conflict_do_nothing())
        kept += len(ids)
    return kept


def pass_what_is_gone(
    session: Session,
    run: Run,
    *,
    checks: Sequence[str],
    providers: Sequence[str],
    not_looked_at: Sequence[tuple[str, str]] = (),
) -> int:
    """Close what was open and is no longer found, in the `checks` and `providers` that were looked at as a whole.

    Of a provider's books only what happened within the run's window was looked at, and none of what is
    `not_looked_at`: a provider and a check each.
    """
    seen = exists().where(Finding.run_id == run.id, Finding.difference_id == Difference.id)
    in_window = and_(Difference.happened_at >= run.window_from, Difference.happened_at < run.window_upto)
    looked_at = or_(
        and_(Difference.side == Side.INSIDE, Difference.check.in_(checks)),
        and_(
            Difference.side == Side.OUTSIDE,
            Difference.provider.in_(providers),
            tuple_(Difference.provider, Difference.check).not_in(not_looked_at),
            or_(Difference.happened_at.is_(None), in_window),
        ),
    )
    gone = session.execute(
        update(Difference)
        .where(IS_OPEN, looked_at, ~seen)
        .values(state="passed", closed_at=func.now())
        .returning(Difference.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def carry_on(session: Session, run_id: int) -> None:
    """Show in the run what is still open and was not looked at: it is as wrong as it was."""
    others = select(literal(run_id), Difference.id).where(IS_OPEN)
    session.execute(insert(Finding).from_select(["run_id", "difference_id"], others).on_conflict_do_nothing())


def open_now(session: Session) -> int:
    """How many differences are open, in whichever run they were found; what is only in flight does not count."""
    counted = select(func.count()).select_from(Difference).where(IS_OPEN, Difference.kind != Kind.TIMING)
    return session.scalar(counted) or 0


def forget_items(session: Session, *, before: datetime) -> None:
    """Delete the lines that runs from before then have compared, so many at once that it takes seconds."""
    some = (
        select(Item.id).join(Run, Run.id == Item.run_id).where(Run.begun_at < before).limit(FORGOTTEN_AT_ONCE)
    )
    session.execute(delete(Item).where(Item.id.in_(some)).execution_options(synchronize_session=False))


def seen_in(run_id: int) -> ColumnElement[bool]:
    """That a difference was found in that run."""
    return Difference.id.in_(select(Finding.difference_id).where(Finding.run_id == run_id))


def _resolved_before(session: Session, found: Sequence[Found]) -> dict[str, int]:
    """Those that somebody has resolved as they are, by key."""
    amounts = {one.key: (_minor(one.our_amount), _minor(one.their_amount)) for one in found}
    latest = (
        select(Difference.key, Difference.id, Difference.our_amount, Difference.their_amount)
        .ext(distinct_on(Difference.key))
        .where(Difference.key.in_(amounts), Difference.state == "resolved")
        .order_by(Difference.key, Difference.id.desc())
    )
    return {
        row.key: row.id
        for row in session.execute(latest)
        if (row.our_amount, row.their_amount) == amounts[row.key]
    }


def _open_ones(session: Session, run_id: int, found: Sequence[Found]) -> list[int]:
    if not found:
        return []
    statement = insert(Difference).values([_row(run_id, one) for one in found])
    told_anew = ("kind", "words", "our_ref", "their_ref", "asset", "our_amount", "their_amount")
    return list(
        session.scalars(
            statement.on_conflict_do_update(
                index_elements=[Difference.key],
                index_where=IS_OPEN,
                set_={name: statement.excluded[name] for name in told_anew},
            ).returning(Difference.id)
        )
    )


def _row(run_id: int, one: Found) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "side": one.side.value,
        "check_name": one.check,
        "kind": one.kind.value,
        "key": one.key,
        "words": one.words,
        "provider": one.provider,
        "our_ref": one.our_ref,
        "their_ref": one.their_ref,
        "asset": one.asset,
        "our_amount": _minor(one.our_amount),
        "their_amount": _minor(one.their_amount),
        "happened_at": one.happened_at,
    }


def _minor(amount: int | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)


def _by(found: Iterator[Found], size: int) -> Iterator[list[Found]]:
    while some := list(islice(found, size)):
        yield some
