"""The one clock: puts recurring work into the outbox when its time has come.

Any number of these may run: a PostgreSQL advisory lock lets one of them be the clock, and each turn of each line
has a key, so that it is put once even while the lock changes hands. All times are UTC.
"""

from __future__ import annotations

import signal
import threading
from datetime import datetime
from itertools import count

import psycopg
from flask import Flask
from sqlalchemy.exc import DBAPIError

from advancia.app import create_app
from advancia.core import alarms, context, log, recurring
from advancia.core.clock import utcnow
from advancia.core.db import Session, unit_of_work
from advancia.core.heartbeats import Pulse
from advancia.core.locks import Lock
from advancia.core.recurring import Turn
from worker import watch

TICK_SECONDS = 5.0
WATCH_TICKS = 12  # of which one looks at what became of all that was put

_log = log.logger(__name__)


def run(app: Flask, stop: threading.Event) -> None:
    """Be the clock, or wait to become it, until `stop` is set."""
    settings = app.extensions["settings"]
    pulse = Pulse("clock")
    while not stop.is_set():
        try:
            with psycopg.connect(settings.database_url, autocommit=True) as guard:
                _tick_while_ours(app, guard, pulse, stop)
        except (psycopg.Error, DBAPIError) as trouble:
            _log.warning("clock_waits", trouble=f"{type(trouble).__name__}: {trouble}")
        stop.wait(TICK_SECONDS)
    with app.app_context():
        pulse.stop()


def put_due_work(now: datetime) -> int:
    """Put every line whose turn has come and was not put before; return how many.

    What was missed during a long pause is put once, and sounds an alarm until the next turn comes in time.
    """
    with unit_of_work() as session:
        due = recurring.turns_due(session, now)
    put = 0
    for turn in due:
        with context.bound_request_id(None), unit_of_work() as session:
            put += recurring.put(session, turn, now)
            _tell_whether_missed(session, turn, now)
    return put


def look(now: datetime) -> None:
    """Sound alarms about what became of the work that was put, and end those whose trouble has passed."""
    with context.bound_request_id(None), unit_of_work() as session:
        watch.look(session, now)


def _tell_whether_missed(session: Session, turn: Turn, now: datetime) -> None:
    what, about = "clock.missed", turn.line.job.value
    if not turn.was_missed:
        alarms.clear(session, what=what, about=about)
        return
    due = now - turn.late
    words = (
        f"“{turn.line.words}” was due on {due:%-d %B at %H:%M} UTC and was not begun: the clock was away. "
        "It is caught up now, once."
    )
    alarms.sound(session, what=what, about=about, words=words, is_critical=False)  # it is caught up


def _tick_while_ours(app: Flask, guard: psycopg.Connection, pulse: Pulse, stop: threading.Event) -> None:
    row = guard.execute("SELECT pg_try_advisory_lock(%s)", (Lock.CLOCK,)).fetchone()
    if not row or not row[0]:
        return
    _log.info("clock_started")
    for tick in count():
        if stop.is_set():
            return
        guard.execute("SELECT 1")  # raises once the connection, and with it the lock, is gone
        with app.app_context():
            put_due_work(utcnow())
            if tick % WATCH_TICKS == 0:
                look(utcnow())
            pulse.beat()
        stop.wait(TICK_SECONDS)


def main() -> None:
    app = create_app()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(app, stop)


if __name__ == "__main__":
    main()
