"""The outbox, many rows at once: for jobs that are done in batches (see `worker.tasks.batch_job`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.outbox import lane_of

_HOLD_OPEN = "select id from outbox where id = any(%s) and done_at is null order by id for update"
_MARK_DONE = """
    update outbox set done_at = now(), secret = null, encrypted_secret = null, parked_at = null where id = any(%s)
"""
_GIVE_BACK = """
    update outbox set attempts = attempts - 1, handed_at = null, available_at = now()
    where id = any(%s) and done_at is null and handed_at is not null
"""
_PUT = """
    insert into outbox (kind, lane, payload, request_id)
    select %s, %s, told.payload::jsonb, told.request_id from unnest(%s::text[], %s::text[]) told (payload, request_id)
"""

Row = tuple[Mapping[str, Any], str | None]  # a payload, and the request that it comes from


def hold_open(session: Session, outbox_ids: Iterable[int]) -> set[int]:
    """Keep these rows from being done by anybody else until the caller commits; return which of them still are not."""
    rows = session.connection().exec_driver_sql(_HOLD_OPEN, (list(outbox_ids),))
    return set(rows.scalars())


def mark_done(session: Session, outbox_ids: Iterable[int]) -> None:
    """As `outbox.mark_done`, for rows that the caller holds open."""
    session.connection().exec_driver_sql(_MARK_DONE, (list(outbox_ids),))


def give_back(session: Session, outbox_ids: Iterable[int]) -> None:
    """Let these rows be claimed anew at once, and each by itself; the try that had begun counts for none."""
    session.connection().exec_driver_sql(_GIVE_BACK, (list(outbox_ids),))


def put(session: Session, job: Job, rows: Sequence[Row]) -> None:
    """As `outbox.put`, without secrets: a row for each payload, with the request that it comes from."""
    payloads, request_ids = [json.dumps(payload) for payload, _ in rows], [each for _, each in rows]
    session.connection().exec_driver_sql(_PUT, (job.value, int(lane_of(job)), payloads, request_ids))
