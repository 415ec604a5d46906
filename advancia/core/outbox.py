"""The outbox: work that must happen once the current unit of work has been committed.

The row is the truth and the queue only the doorbell. A service puts a row into the same transaction as its
effect; the relay (`worker.relay`) rings the queue while rows are due, and a worker that hears it takes them from here
until there are none. A row whose job keeps failing is parked, where staff see it and can send it again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final

from flask import current_app
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Double,
    Identity,
    Index,
    Integer,
    Select,
    SmallInteger,
    Text,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core import context
from advancia.core.db import Model, Session
from advancia.core.encryption import Ciphertext, Keyring
from advancia.core.jobs import IN_BATCHES, Job
from advancia.core.types import Timestamp

# With the delays between them these tries reach over two and a half hours: a mail server or a provider that is away
# for an afternoon's outage costs nothing but the wait.
MAX_ATTEMPTS = 24
LONGEST_DELAY = timedelta(minutes=10)
LONGEST_OUTCOME = 500
DIED = "The last try never came to an end: its worker died."
# How long after the start of a run that has not ended the row counts as lost and is taken again.
PATIENCE = timedelta(seconds=25)
# How long what waits for the end of a lockdown is left alone.
PUT_OFF_FOR = timedelta(seconds=10)

# What every job does is told to the driver as it is: to compose a statement costs more than to carry it out.
_PUT = """
    insert into outbox (kind, lane, payload, request_id, available_at)
    values (%s, %s, %s::jsonb, %s, coalesce(%s::timestamptz, now())) returning id
"""
_CLAIM_DUE = """
    with due as materialized (
        select id from outbox
        where lane = %s and done_at is null and parked_at is null and available_at <= now() and handed_at is null
        order by available_at limit %s for update skip locked
    )
    update outbox set attempts = attempts + 1, handed_at = now(), lane = case lane when 1 then 0 else lane end,
        available_at = now() + make_interval(secs => least(power(2, attempts + 1), %s))
    from due where outbox.id = due.id
    returning outbox.id, kind, payload, secret, encrypted_secret, request_id, attempts
"""
_MARK_DONE = """
    update outbox set done_at = now(), secret = null, encrypted_secret = null, parked_at = null
    where id = %s and done_at is null returning id
"""

# Where an encrypted secret stands, as `Keyring` wants to be told.
SECRET: Final = {"table": "outbox", "column": "encrypted_secret"}


class Lane(IntEnum):
    """Where a row waits: whoever looks for one sort of work need not look through the others."""

    FIRST = 0
    BATCH = 1  # of a kind that is done many at once; only until its first try, from then on each by itself
    LETTERS = 2  # mails that nobody waits for, as for a code


class OutboxRow(Model):
    """One piece of work. `encrypted_secret` is what only the job may see, such as a sign-in code; done wipes it.

    `secret` is the same in plain text. Only versions before this column's encryption write it, also while they are
    being replaced; it is read as long as there is any, and `encrypt_plain_secrets` moves it over.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_open",
            "lane",
            "available_at",
            postgresql_where=text("done_at IS NULL AND parked_at IS NULL"),
        ),
        Index("ix_outbox_parked", "parked_at", postgresql_where=text("parked_at IS NOT NULL")),
        Index("ix_outbox_done", "done_at", postgresql_where=text("done_at IS NOT NULL")),
        Index("ix_outbox_recurring", "kind", "id", postgresql_where=text("unique_key IS NOT NULL")),
        # Most rows are updated three times within a second; room in the page keeps that cheap.
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    lane: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    secret: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    encrypted_secret: Mapped[Ciphertext | None]
    request_id: Mapped[str | None] = mapped_column(Text)
    # Two rows with the same key are one piece of work, such as the nightly check of one night.
    unique_key: Mapped[str | None] = mapped_column(Text, unique=True)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    last_error: Mapped[str | None] = mapped_column(Text)
    # What a job that ended well had to say, and for how long it was at work.
    outcome: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    available_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    handed_at: Mapped[Timestamp | None]
    done_at: Mapped[Timestamp | None]
    parked_at: Mapped[Timestamp | None]


@dataclass(frozen=True)
class Claim:
    """One try at a row: what the job is told, and which try it is (the first is 1)."""

    outbox_id: int
    kind: str
    payload: dict[str, Any]
    plain_secret: dict[str, Any] | None = field(repr=False)
    encrypted_secret: bytes | None = field(repr=False)
    request_id: str | None
    attempt: int

    @property
    def secret(self) -> dict[str, Any]:
        """What only the job may see; empty when there is nothing. Raises `Undecryptable`.

        It is decrypted when the job asks for it, so that a row which nobody can read fails like any other.
        """
        if self.encrypted_secret is None:
            return self.plain_secret or {}
        plain = _keyring().decrypt(self.encrypted_secret, **SECRET, row=self.outbox_id)
        opened: dict[str, Any] = json.loads(plain)
        return opened


def put(
    session: Session,
    job: Job,
    *,
    secret: dict[str, Any] | None = None,
    available_at: datetime | None = None,
    **payload: Any,
) -> None:
    """Ask for `job` to be run with `payload` once the caller's unit of work is committed.

    The payload is stored as JSON: plain values only. The job may run more than once; see `worker.tasks`.
    `secret` is stored under the app's newest field key, and only the job can read it.
    """
    lane = lane_of(job, has_secret=secret is not None)
    row = (job.value, lane, json.dumps(payload), context.request_id.get(), available_at)
    outbox_id = session.connection().exec_driver_sql(_PUT, row).scalar_one()
    if secret is not None:
        _encrypt(session, outbox_id, secret)


def lane_of(job: Job, *, has_secret: bool = False) -> Lane:
    """Where a new row of that job waits."""
    if job in IN_BATCHES:
        return Lane.BATCH
    return Lane.LETTERS if job is Job.SEND_EMAIL and not has_secret else Lane.FIRST


def put_once(session: Session, job: Job, *, unique_key: str, **payload: Any) -> bool:
    """As `put`, but only the first time that `unique_key` is seen; tell whether this was the first."""
    row = session.execute(
        pg_insert(OutboxRow)
        .values(kind=job.value, payload=payload, unique_key=unique_key, request_id=context.request_id.get())
        .on_conflict_do_nothing(index_elements=[OutboxRow.unique_key])
        .returning(OutboxRow.id)
    )
    return row.first() is not None


def claim(session: Session, outbox_id: int) -> Claim | None:
    """Begin a try: count it and give what the job needs; `None` when the row is done, parked or gone.

    Counted, and the next try planned, before the work begins: so a job which kills its worker comes back later each
    time, and is parked in the end, like any other that fails.
    """
    _park_the_dead(session, OutboxRow.id == outbox_id)
    return next(iter(_begin(session, OutboxRow.id == outbox_id, _is_open())), None)


def claim_due(session: Session, *, lane: Lane, limit: int) -> list[Claim]:
    """As `claim`, for the rows of a lane that have been due for longest and whose last run, if any, has come to an end.

    Rows that somebody else is just claiming are left to them.
    """
    values = (int(lane), limit, LONGEST_DELAY.total_seconds())
    return [Claim(*row) for row in session.connection().exec_driver_sql(_CLAIM_DUE, values)]


def claim_lost(session: Session) -> Claim | None:
    """As `claim`, for a row whose last run has begun and never ended: its worker died, or its machine.

    The row may be what killed it, so whoever claims it should do nothing else until it is done.
    """
    lost = _due(OutboxRow.handed_at < func.now() - PATIENCE, limit=1)
    _park_the_dead(session, OutboxRow.handed_at < func.now() - PATIENCE, OutboxRow.available_at <= func.now())
    return next(iter(_begin(session, OutboxRow.id == lost.c.id)), None)


def has_due_rows(session: Session) -> bool:
    """Whether there is something to claim."""
    is_free = or_(OutboxRow.handed_at.is_(None), OutboxRow.handed_at < func.now() - PATIENCE)
    return session.scalar(select(exists(_are_due().where(is_free)))) or False


def mark_done(session: Session, outbox_id: int) -> bool:
    """Mark the row done and wipe its secret; false when another run has done it before us.

    A row that was parked while its last try was still at work is not parked after all.

    The row is locked until the caller commits, so two runs of one row cannot both have their effect.
    """
    return session.connection().exec_driver_sql(_MARK_DONE, (outbox_id,)).first() is not None


def note_outcome(session: Session, outbox_id: int, outcome: str, *, seconds: float) -> None:
    """Write down what a job that ends well has to say, and for how long it was at work; staff read it."""
    session.execute(
        update(OutboxRow)
        .where(OutboxRow.id == outbox_id)
        .values(outcome=outcome[:LONGEST_OUTCOME], seconds=seconds)
    )


def mark_failed(session: Session, outbox_id: int, *, attempt: int, error: str) -> bool:
    """Plan the next try, later each time, or park the row after the last one; tell whether it was parked."""
    parked = attempt >= MAX_ATTEMPTS
    when = {"parked_at": func.now()} if parked else {"available_at": func.now() + back_off(attempt)}
    session.execute(
        update(OutboxRow)
        .where(OutboxRow.id == outbox_id, OutboxRow.done_at.is_(None))
        .values(last_error=error[:2000], handed_at=None, **when)
    )
    return parked


def put_off(session: Session, outbox_ids: list[int]) -> None:
    """Let rows that may not be run now be claimed a little later; the try that had begun counts for none."""
    session.execute(
        update(OutboxRow)
        .where(OutboxRow.id.in_(outbox_ids), OutboxRow.done_at.is_(None), OutboxRow.handed_at.is_not(None))
        .values(attempts=OutboxRow.attempts - 1, handed_at=None, available_at=func.now() + PUT_OFF_FOR)
    )


def send_again(session: Session, outbox_id: int) -> bool:
    """Put a parked row back to work with its tries counted anew; false when it is not parked."""
    row = session.execute(
        update(OutboxRow)
        .where(OutboxRow.id == outbox_id, OutboxRow.parked_at.is_not(None))
        .values(parked_at=None, attempts=0, handed_at=None, available_at=func.now())
        .returning(OutboxRow.id)
    )
    session.execute(select(func.pg_notify("outbox", "")))
    return row.first() is not None


def back_off(attempt: int) -> timedelta:
    """How long to wait after that try has failed: 2, 4, 8 … seconds, at most ten minutes."""
    return min(timedelta(seconds=2**attempt), LONGEST_DELAY)


def encrypt_plain_secrets(session: Session, *, limit: int = 500) -> int:
    """Encrypt what older versions left in plain text on rows that nobody works on now; return how many rows."""
    rows = session.execute(
        select(OutboxRow.id, OutboxRow.secret)
        .where(func.jsonb_typeof(OutboxRow.secret) == "object", OutboxRow.done_at.is_(None))
        .order_by(OutboxRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        _encrypt(session, row.id, row.secret)
    return len(rows)


def _is_open() -> ColumnElement[bool]:
    return and_(OutboxRow.done_at.is_(None), OutboxRow.parked_at.is_(None))


def _are_due() -> Select[int]:
    return select(OutboxRow.id).where(_is_open(), OutboxRow.available_at <= func.now())


def _due(is_free: ColumnElement[bool], *, limit: int) -> CTE:
    due = _are_due().where(is_free).order_by(OutboxRow.available_at).limit(limit)
    # Materialized, or it might be asked more than once, and lock more rows than the limit.
    return due.with_for_update(skip_locked=True).cte("due").prefix_with("MATERIALIZED")


def _park_the_dead(session: Session, *which: ColumnElement[bool]) -> None:
    session.execute(
        update(OutboxRow)
        .where(*which, _is_open(), OutboxRow.attempts >= MAX_ATTEMPTS)
        .values(parked_at=func.now(), last_error=DIED)
    )


def _begin(session: Session, *which: ColumnElement[bool]) -> list[Claim]:
    delay = func.least(func.power(2, OutboxRow.attempts + 1), LONGEST_DELAY.total_seconds())
    rows = session.execute(
        update(OutboxRow)
        .where(*which)
        .values(
            attempts=OutboxRow.attempts + 1,
            handed_at=func.now(),
            lane=case((OutboxRow.lane == Lane.BATCH, Lane.FIRST), else_=OutboxRow.lane),
            available_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, delay),
        )
        .returning(
            OutboxRow.id,
            OutboxRow.kind,
            OutboxRow.payload,
            OutboxRow.secret,
            OutboxRow.encrypted_secret,
            OutboxRow.request_id,
            OutboxRow.attempts,
        )
        .execution_options(synchronize_session=False)
    )
    return [Claim(*row) for row in rows]


def _encrypt(session: Session, outbox_id: int, secret: dict[str, Any]) -> None:
    stored = _keyring().encrypt(json.dumps(secret).encode(), **SECRET, row=outbox_id)
    session.execute(
        update(OutboxRow).where(OutboxRow.id == outbox_id).values(secret=None, encrypted_secret=stored)
    )


def _keyring() -> Keyring:
    keyring: Keyring = current_app.extensions["keyring"]
    return keyring
