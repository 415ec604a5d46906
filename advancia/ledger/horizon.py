"""The horizon: up to where the books are final, for readers that must leave nothing out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Error as DriverError
from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import TextClause

HELD_BACK = "LG503"
PATIENCE = timedelta(seconds=5)
ROLL_UP_AFTER = 1000  # entries since an account's last roll-up

HORIZON = text("select upto_txn, upto_audit from ledger.horizon(:patience)")
ROLL_UP = text("select ledger.roll_up(:least, :patience) as rows")


@dataclass(frozen=True, slots=True)
class Horizon:
    """Nothing with an id up to these will be added any more, and all of it is visible from now on."""

    upto_txn: int
    upto_audit: int


class HeldBack(RuntimeError):
    """What began before is still running on the server, so nothing can be called final yet. The text says how old."""


def settled(session: Session, *, patience: timedelta = PATIENCE) -> Horizon:
    """Wait until all that was posted or under way at the call is final, and tell up to where that is.

    It asks on a connection of its own; the next statement of `session` sees all of it, if that is at READ
    COMMITTED or begins its transaction. It waits for whoever has written something, so call it before you
    have. Raises `HeldBack` after `patience`.
    """
    row = _alone(session, HORIZON, patience=patience)
    return Horizon(row.upto_txn, row.upto_audit)


def roll_up(session: Session, *, least: int = ROLL_UP_AFTER, patience: timedelta = PATIENCE) -> int:
    """Sum up each house account that has at least `least` new entries, up to the horizon; return how many.

    Nothing waits for it, and no balance depends on it: it keeps short what `balance` adds up. It commits on
    a connection of its own. Raises `HeldBack`.
    """
    rows: int = _alone(session, ROLL_UP, least=least, patience=patience).rows
    return rows


def _alone(session: Session, sql: TextClause, **values: Any) -> Row[Any]:
    """Run one statement in a database transaction of its own."""
    with Session(session.get_bind()) as own:
        try:
            row = own.execute(sql, values).one()
            own.commit()
        except DBAPIError as error:
            if isinstance(error.orig, DriverError) and error.orig.sqlstate == HELD_BACK:
                raise HeldBack(
                    f"{error.orig.diag.message_primary}: {error.orig.diag.message_detail}"
                ) from None
            raise
    return row
