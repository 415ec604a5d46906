"""The relay: rings the queue for every outbox row that is due, and again when a ring was lost.

It listens for new rows, and sweeps every two seconds besides. Losing the queue loses nothing: what is not done
is rung for again. Any number of relays may run; each takes the rows that no other holds.
"""

from __future__ import annotations

import signal
import threading
import time

import psycopg
from flask import Flask
from redis import RedisError
from rq import Queue
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import DBAPIError

from advancia.app import create_app
from advancia.core import log
from advancia.core.db import Session, db, unit_of_work
from advancia.core.outbox import PATIENCE, OutboxRow
from worker import queue as bell

SWEEP_SECONDS = 2.0
BATCH = 500
TROUBLE_SECONDS = 1.0

_log = log.logger(__name__)


def run(app: Flask, stop: threading.Event) -> None:
    """Ring until `stop` is set; trouble with either server is logged, waited out and tried again."""
    settings = app.extensions["settings"]
    while not stop.is_set():
        try:
            with (
                psycopg.connect(settings.database_url, autocommit=True) as listener,
                bell.connection(settings) as redis,
            ):
                listener.execute("LISTEN outbox")
                _ring_and_wait(app, bell.queue(redis), listener, stop)
        except (psycopg.Error, DBAPIError, RedisError, OSError) as trouble:
            _log.warning("relay_waits", trouble=f"{type(trouble).__name__}: {trouble}")
            stop.wait(TROUBLE_SECONDS)


def ring_due_rows(session: Session, doorbell: Queue) -> int:
    """Ring for the rows that are due and not yet, or no longer, in the queue; return how many were looked at."""
    lost = func.now() - PATIENCE
    rows = session.execute(
        select(OutboxRow.id, OutboxRow.kind, OutboxRow.attempts, OutboxRow.handed_at)
        .where(
            OutboxRow.done_at.is_(None),
            OutboxRow.parked_at.is_(None),
            OutboxRow.available_at <= func.now(),
            or_(OutboxRow.handed_at.is_(None), OutboxRow.handed_at < lost),
        )
        .order_by(OutboxRow.available_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return 0
    # Under load a ring may wait for longer than our patience; ringing again would only lengthen the queue.
    waiting = set(doorbell.job_ids) if any(row.handed_at for row in rows) else set()
    rings = {bell.job_id(row.id, row.attempts): bell.longest(row.kind) for row in rows}
    _ring(doorbell, {name: seconds for name, seconds in rings.items() if name not in waiting})
    session.execute(
        update(OutboxRow).where(OutboxRow.id.in_([row.id for row in rows])).values(handed_at=func.now())
    )
    return len(rows)


def _ring_and_wait(app: Flask, doorbell: Queue, listener: psycopg.Connection, stop: threading.Event) -> None:
    while not stop.is_set():
        began = time.monotonic()
        with app.app_context(), unit_of_work() as session:
            looked_at = ring_due_rows(session, doorbell)
        if looked_at == BATCH:
            continue
        # Wakes at the first new row, and takes those that were announced with it in one go.
        rest = max(0.05, SWEEP_SECONDS - (time.monotonic() - began))
        for _new in listener.notifies(timeout=rest, stop_after=1):
            pass


def _ring(doorbell: Queue, rings: dict[str, int]) -> None:
    """Enqueue jobs by their ids, each with the seconds that it may take."""
    with doorbell.connection.pipeline() as pipeline:
        doorbell.enqueue_many(
            [
                Queue.prepare_data(
                    bell.PERFORM,
                    args=(int(name.split("-")[1]),),
                    job_id=name,
                    timeout=seconds,
                    result_ttl=0,
                    failure_ttl=3600,
                )
                for name, seconds in rings.items()
            ],
            pipeline=pipeline,
        )
        pipeline.execute()


def main() -> None:
    app = create_app()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _log.info("relay_started")
    run(app, stop)
    with app.app_context():
        db.engine.dispose()


if __name__ == "__main__":
    main()
