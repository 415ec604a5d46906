"""What a storm must have left: each event that was answered is credited, once, and the books are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia.config import sqlalchemy_url
from advancia.ledger import check
from bench.webhooks.prepare import CENTS

LAST_CREDIT = """
    select count(*) filter (where state = 'paid'), extract(epoch from max(paid_at))::float8
    from deposit where id = any(%s)
"""
# Everything that was done more or less than once.
WRONG = """
    select d.id::text, count(distinct w.id) filter (where w.state = 'applied'), count(distinct t.id), d.state
    from unnest(%s::uuid[]) wanted (id)
    join deposit d using (id)
    left join webhook_event w on w.object_id = d.checkout_id
    left join ledger.txn t on t.reference = 'deposit:' || d.id
    group by d.id
    having count(distinct w.id) filter (where w.state = 'applied') <> 1 or count(distinct t.id) <> 1
        or d.state <> 'paid'
    limit 5
"""
CREDITED = """
    select coalesce(sum(e.amount), 0)::bigint
    from unnest(%s::uuid[]) wanted (id)
    join ledger.txn t on t.reference = 'deposit:' || wanted.id
    join ledger.entry e on e.txn_id = t.id
    join ledger.account a on a.id = e.account_id and a.purpose = 'available'
"""
OPEN_JOBS = "select count(*) from outbox where done_at is null"
JOBS = """
    select count(*), coalesce(sum(attempts), 0)::int from outbox where kind = 'apply_webhook' and done_at is not null
"""


@dataclass(frozen=True, slots=True)
class Credits:
    """How many of the deposits are credited, and when the last was, in seconds since 1970."""

    count: int
    last: float | None


def credits_of(url: str, deposit_ids: list[UUID]) -> Credits:
    return Credits(*_asked(url, LAST_CREDIT, (deposit_ids,)))


def open_jobs(url: str) -> int:
    """How many pieces of work are not done, the letters about the credits included."""
    return int(_asked(url, OPEN_JOBS)[0])


def proven(url: str, deposit_ids: list[UUID]) -> str:
    """Say that all is right, or raise `RuntimeError` with what is not."""
    with psycopg.connect(url) as connection:
        wrong = connection.execute(WRONG, (deposit_ids,)).fetchall()
    if wrong:
        raise RuntimeError(f"Not applied exactly once: {wrong}")
    credited = _asked(url, CREDITED, (deposit_ids,))[0]
    if credited != len(deposit_ids) * CENTS:
        raise RuntimeError(f"{credited} cents were credited for {len(deposit_ids)} deposits of {CENTS}.")
    engine = create_engine(sqlalchemy_url(url))
    with Session(engine) as session:
        report = check.run(session)
    engine.dispose()
    if not report.is_right:
        raise RuntimeError(f"The books are wrong: {report.differences[0]}")
    jobs, tries = _asked(url, JOBS)
    return (
        f"Each of {len(deposit_ids):,} events that were answered 2xx is applied exactly once ({tries:,} tries of"
        f" {jobs:,} jobs), and the books were proven: {report.transactions:,} transactions, {report.entries:,} entries."
    )


def _asked(url: str, sql: str, values: tuple[Any, ...] = ()) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(sql, values).fetchone()
