"""Lines of the audit trail by who, what, on what and when, newest first. Each filter has an index to go by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, literal, select, text

from advancia.audit import AuditRecord
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.identity.models import User

LARGEST_ID = 2**63 - 1
AT_ONCE = 500
NOBODYS = ("system", "stranger")  # who acts without being a person that we know
# Numbers rise with time but for lines that are written at once: the bound by number leaves room, the time decides.
ROOM = timedelta(hours=1)
EARLIEST = datetime.min.replace(tzinfo=UTC)

# Every action there is, by jumping from one to the next in the index.
ACTIONS = text("""
    with recursive t (action) as (
        (select action from audit_record order by action limit 1)
        union all
        select (select a.action from audit_record a where a.action > t.action order by a.action limit 1)
        from t where t.action is not null
    )
    select action from t where action is not null
""")


@dataclass(frozen=True)
class Wanted:
    """Which lines; `None` means all. `since` is included, `until` is not."""

    who: str | None = None
    action: str | None = None
    kind: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Change:
    """One fact that a line tells, before and after."""

    name: str
    before: str | None
    after: str | None


def actions(session: Session) -> Sequence[str]:
    """Every kind of action that was ever written, in order."""
    return session.scalars(ACTIONS).all()


def lines(session: Session, wanted: Wanted, *, before: int | None, limit: int) -> Sequence[AuditRecord]:
    """A page of them, with numbers below `before`."""
    chosen = _chosen(session, wanted)
    if before is not None:
        chosen = chosen.where(AuditRecord.id < before)
    return session.scalars(chosen.order_by(AuditRecord.id.desc()).limit(limit)).all()


def line(session: Session, number: int) -> AuditRecord:
    """Raises `NotFound`."""
    found = session.get(AuditRecord, number) if number <= LARGEST_ID else None
    if found is None:
        raise NotFound("There is no line of that number.")
    return found


def all_lines(session: Session, wanted: Wanted, *, limit: int) -> Iterator[AuditRecord]:
    """Up to `limit` of them, fetched as they are gone through; the session must stay open meanwhile."""
    chosen = _chosen(session, wanted).order_by(AuditRecord.id.desc()).limit(limit)
    return iter(session.scalars(chosen, execution_options={"yield_per": AT_ONCE}))


def changes(record: AuditRecord) -> list[Change]:
    """What a line says, fact by fact."""
    before, after = record.before or {}, record.after or {}
    names = [*before, *(name for name in after if name not in before)]
    return [Change(name, _told(before, name), _told(after, name)) for name in names]


def _told(facts: Mapping[str, Any], name: str) -> str | None:
    if name not in facts:
        return None
    value = facts[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _chosen(session: Session, wanted: Wanted) -> Select[AuditRecord]:
    chosen = select(AuditRecord)
    if wanted.who is not None:
        chosen = chosen.where(_by(session, wanted.who))
    if wanted.action is not None:
        chosen = chosen.where(AuditRecord.action == wanted.action)
    if wanted.kind is not None:
        chosen = chosen.where(AuditRecord.object_kind == wanted.kind)
    if wanted.object_id is not None:
        chosen = chosen.where(AuditRecord.object_id == wanted.object_id)
    if wanted.since is not None:
        first = max(wanted.since, EARLIEST + ROOM) - ROOM
        chosen = chosen.where(AuditRecord.recorded_at >= wanted.since, AuditRecord.id >= _number_at(first))
    if wanted.until is not None:
        chosen = chosen.where(
            AuditRecord.recorded_at < wanted.until, AuditRecord.id < _number_at(wanted.until + ROOM)
        )
    return chosen


def _by(session: Session, who: str) -> ColumnElement[bool]:
    """The person of that id, email or @handle, or one of `NOBODYS`."""
    wanted = who.lower()
    if wanted in NOBODYS:
        return (AuditRecord.role == wanted) & AuditRecord.actor_id.is_(None)
    if wanted.isascii() and wanted.isdecimal() and int(wanted) <= LARGEST_ID:
        return AuditRecord.actor_id == int(wanted)
    is_handle = wanted.startswith("@")
    match = User.handle == wanted[1:] if is_handle else User.email == wanted
    return AuditRecord.actor_id == (session.scalar(select(User.id).where(match)) or -1)


def _number_at(moment: datetime) -> ColumnElement[int]:
    """The number of the first line at that moment or later."""
    first = (
        select(AuditRecord.id)
        .where(AuditRecord.recorded_at >= moment)
        .order_by(AuditRecord.recorded_at)
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(first, cast(literal(LARGEST_ID), BigInteger))
