"""Rotation: everything that stands under an older field key is brought under the newest.

Nothing is remembered about a rotation but the values themselves, each of which names its key. So it may die between
any two statements and is simply started again; and it may run beside the product, since a value is only replaced while
it is still the one that was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, bindparam, func, select, update

from advancia import audit
from advancia.core.db import Model, Session, in_unit_of_work, unit_of_work
from advancia.core.encryption import (
    EncryptedColumn,
    Keyring,
    Undecryptable,
    encrypted_columns,
    key_id_in_sql,
)

BATCH = 200
NO_KEY = "(none of ours)"

# Called with the column and how many of its rows have been looked at since the last call.
Progress = Callable[[EncryptedColumn, int], None]


@dataclass
class ColumnReport:
    """What became of one column: rows by what happened to them, and by the key that they are under now."""

    column: EncryptedColumn
    rotated: int = 0
    overtaken: int = 0  # changed by the product between being read and being replaced
    unreadable: list[str] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)

    def left(self, newest: str) -> int:
        return sum(rows for key, rows in self.keys.items() if key != newest)


@dataclass
class RotationReport:
    newest: str
    columns: list[ColumnReport]

    @property
    def rotated(self) -> int:
        return sum(each.rotated for each in self.columns)

    @property
    def left(self) -> int:
        """How many values are not under the newest key now."""
        return sum(each.left(self.newest) for each in self.columns)

    @property
    def keys_in_use(self) -> list[str]:
        return sorted({key for each in self.columns for key in each.keys})


@dataclass(frozen=True)
class _Place:
    """A registered column as SQL, and which of its rows are due."""

    told: EncryptedColumn
    head: bytes

    @property
    def table(self) -> Table:
        return Model.metadata.tables[self.told.table]

    @property
    def key(self) -> Column[Any]:
        return self.table.c[self.told.key]

    @property
    def value(self) -> Column[Any]:
        return self.table.c[self.told.column]

    @property
    def is_due(self) -> ColumnElement[bool]:
        return and_(self.value.is_not(None), func.substring(self.value, 1, len(self.head)) != self.head)


@dataclass(frozen=True)
class _Batch:
    """What one transaction did; `last` is the key of the last row that it looked at."""

    looked_at: int = 0
    last: Any = None
    rotated: int = 0
    unreadable: list[str] = field(default_factory=list)


def due(session: Session, keyring: Keyring) -> dict[EncryptedColumn, int]:
    """How many values of each registered column are not under the newest key. Raises `NoFieldKey`."""
    places = [_Place(column, keyring.newest_head) for column in encrypted_columns()]
    return {
        place.told: session.scalar(select(func.count()).select_from(place.table).where(place.is_due)) or 0
        for place in places
    }


def rotate(keyring: Keyring, *, batch: int = BATCH, progress: Progress | None = None) -> RotationReport:
    """Encrypt everything anew that is not under the newest key, `batch` rows to a transaction, and report.

    Repeatable, and safe beside a running product. A value that cannot be read is left as it is and named in the
    report. Raises `NoFieldKey`.
    """
    report = RotationReport(keyring.newest, [])
    for column in encrypted_columns():
        report.columns.append(_rotate_column(_Place(column, keyring.newest_head), keyring, batch, progress))
    with unit_of_work() as session:
        for each in report.columns:
            each.keys = _keys_in_use(session, each.column)
        if report.rotated:
            _record(session, report)
    return report


def _rotate_column(place: _Place, keyring: Keyring, batch: int, progress: Progress | None) -> ColumnReport:
    report = ColumnReport(place.told)
    done = _Batch(looked_at=batch)
    while done.looked_at == batch:
        done = in_unit_of_work(
            partial(_rotate_batch, place=place, keyring=keyring, size=batch, after=done.last)
        )
        report.rotated += done.rotated
        report.overtaken += done.looked_at - done.rotated - len(done.unreadable)
        report.unreadable += done.unreadable
        if progress is not None:
            progress(place.told, done.looked_at)
    return report


def _rotate_batch(session: Session, *, place: _Place, keyring: Keyring, size: int, after: Any) -> _Batch:
    """Replace the next values that are due, in the order of their keys, unless they change meanwhile."""
    is_next = place.is_due if after is None else and_(place.is_due, place.key > after)
    rows = session.execute(
        select(place.key, place.value).where(is_next).order_by(place.key).limit(size)
    ).all()
    replacements, unreadable = [], []
    for key, stored in rows:
        try:
            new = _encrypted_anew(keyring, place.told, key, stored)
        except Undecryptable:
            unreadable.append(str(key))
        else:
            replacements.append({"this_row": key, "as_read": stored, "new": new})
    return _Batch(
        looked_at=len(rows),
        last=rows[-1][0] if rows else None,
        rotated=_replace(session, place, replacements),
        unreadable=unreadable,
    )


def _encrypted_anew(keyring: Keyring, column: EncryptedColumn, key: Any, stored: bytes) -> bytes:
    plain = keyring.decrypt(stored, table=column.table, column=column.column, row=key)
    return keyring.encrypt(plain, table=column.table, column=column.column, row=key)


def _replace(session: Session, place: _Place, replacements: list[dict[str, Any]]) -> int:
    """Write the new values over those that are still as they were read; return how many."""
    if not replacements:
        return 0
    statement = (
        update(place.table)
        .where(place.key == bindparam("this_row"), place.value == bindparam("as_read"))
        .values({place.value: bindparam("new")})
    )
    return session.connection().execute(statement, replacements).rowcount


def _keys_in_use(session: Session, column: EncryptedColumn) -> dict[str, int]:
    """How many values are under which key, as they say themselves."""
    value = Model.metadata.tables[column.table].c[column.column]
    key_id = key_id_in_sql(value)
    rows = session.execute(select(key_id, func.count()).where(value.is_not(None)).group_by(key_id))
    return {NO_KEY if name is None else name.decode("ascii", "replace"): number for name, number in rows}


def _record(session: Session, report: RotationReport) -> None:
    audit.record_of_system(
        session,
        action="secrets.rotate",
        kind="field_key",
        id=report.newest,
        after={str(each.column): each.rotated for each in report.columns if each.rotated},
    )
