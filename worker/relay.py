"""The relay: rings the queue while outbox rows are due, so that a worker takes them.

It listens for new rows, and looks every two seconds besides. Losing the queue loses nothing: what is due is rung
for again. Any number of relays may run: a ring too many finds nothing to do.
"""

from __future__ import annotations

import signal
import threading

import psycopg
from flask import Flask
from redis import RedisError
from rq import Queue
from sqlalchemy.exc import DBAPIError

from advancia.app import create_app
from advancia.core import log, outbox
from advancia.core.db import Session, db
from advancia.core.heartbeats import Pulse
from worker import queue as bell

SWEEP_SECONDS = 2.0
BREATH_SECONDS = 0.05
TROUBLE_SECONDS = 1.0

_log = log.logger(__name__)


def run(app: Flask, stop: threading.Event) -> None:
    """Ring until `stop` is set; trouble with either server is logged, waited out and tried again."""
    settings = app.extensions["settings"]
    pulse = Pulse("relay")
    while not stop.is_set():
        try:
            with (
                psycopg.connect(settings.database_url, autocommit=True) as listener,
                bell.connection(settings) as redis,
            ):
                listener.execute("LISTEN outbox")
                _ring_and_wait(app, bell.queue(redis), listener, pulse, stop)
        except (psycopg.Error, DBAPIError, RedisError, OSError) as trouble:
            _log.warning("relay_waits", trouble=f"{type(trouble).__name__}: {trouble}")
            stop.wait(TROUBLE_SECONDS)
    with app.app_context():
        pulse.stop()


def ring_if_due(session: Session, doorbell: Queue) -> bool:
    """Ring if a row is due and no ring waits to be heard; tell whether. Rows of a lost ring are simply still due."""
    if not outbox.has_due_rows(session) or doorbell.count:
        return False
    bell.ring(doorbell)
    return True


def _ring_and_wait(
    app: Flask, doorbell: Queue, listener: psycopg.Connection, pulse: Pulse, stop: threading.Event
) -> None:
    while not stop.is_set():
        with app.app_context():
            ring_if_due(db.session(), doorbell)
            pulse.beat()
        # One ring is enough for all rows that come within a breath.
        stop.wait(BREATH_SECONDS)
        for _new in listener.notifies(timeout=SWEEP_SECONDS, stop_after=1):
            pass


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
