"""What the simulation remembers, in one SQLite file, so that it survives being stopped or killed."""

from __future__ import annotations

import json
import random
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

_SCHEMA = """
-- Objects in the very shape in which the API shows them.
CREATE TABLE IF NOT EXISTS object (
    id      TEXT PRIMARY KEY,
    body    TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS object_made
    ON object (substr(id, 1, instr(id, '_')), json_extract(body, '$.created'), id);
-- What happens to an object by itself, and when.
CREATE TABLE IF NOT EXISTS timer (
    object_id TEXT NOT NULL REFERENCES object (id),
    what      TEXT NOT NULL,
    due       REAL NOT NULL,
    PRIMARY KEY (object_id, what)
) STRICT;
CREATE INDEX IF NOT EXISTS timer_due ON timer (due);
-- Events and their deliveries; due is null once there is nothing more to do. Those with an address of their own are
-- signed in the body; the others go to the webhook that is set, with a signature in a header.
CREATE TABLE IF NOT EXISTS event (
    id       TEXT PRIMARY KEY,
    type     TEXT NOT NULL,
    body     TEXT NOT NULL,
    made     REAL NOT NULL,
    due      REAL,
    tries    INTEGER NOT NULL DEFAULT 0,
    answer   INTEGER,
    problem  TEXT,
    url      TEXT,
    copies   INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX IF NOT EXISTS event_due ON event (due) WHERE due IS NOT NULL;
-- The first answer under each idempotency key, with what had been asked.
CREATE TABLE IF NOT EXISTS answer (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    body        TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Delivery:
    """One event on its way to the product. `answer` is the last HTTP status, `due` None when all is done."""

    event_id: str
    type: str
    body: str
    made: float
    due: float | None
    tries: int
    answer: int | None
    problem: str | None
    url: str | None = None
    copies: int = 1  # how often it is still to arrive

    @property
    def is_delivered(self) -> bool:
        return is_accepted(self.answer) and self.due is None


def is_accepted(answer: int | None) -> bool:
    """Whether an HTTP status says that the event has arrived: any 2xx."""
    return answer is not None and answer // 100 == HTTPStatus.OK // 100


@dataclass(frozen=True)
class Mischief:
    """How events are to arrive: each so often, late by up to so many seconds, and then in any order."""

    copies: int = 1
    late: float = 0.0
    shuffled: bool = False

    def delay(self) -> float:
        return random.uniform(0, self.late) if self.shuffled else self.late  # noqa: S311 - nothing secret


_COLUMNS = "id, type, body, made, due, tries, answer, problem, url, copies"
_DELIVERY = f"SELECT {_COLUMNS} FROM event"
# In the words of the index `object_made`, and from the place of the last one on, so that a late page is as quick as the
# first: prefix, since, until, kind, after, limit.
_MADE_BETWEEN = """
    SELECT body FROM object
    WHERE substr(id, 1, instr(id, '_')) = ?1
        AND json_extract(body, '$.created') BETWEEN ?2
            AND min(?3, coalesce((SELECT json_extract(body, '$.created') FROM object WHERE id = ?5), ?3))
        AND (?4 IS NULL OR json_extract(body, '$.kind') = ?4)
        AND (?5 IS NULL OR (json_extract(body, '$.created'), id) <
            (SELECT json_extract(body, '$.created'), id FROM object WHERE id = ?5))
    ORDER BY json_extract(body, '$.created') DESC, id DESC LIMIT ?6
"""
# What files of older simulations lack.
_ADDED = {"url": "TEXT", "copies": "INTEGER NOT NULL DEFAULT 1"}


class Store:
    """One connection, one transaction at a time. Times are seconds since 1970."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        there = {row[1] for row in self._db.execute("PRAGMA table_info(event)")}
        for name in _ADDED.keys() - there:
            self._db.execute(f"ALTER TABLE event ADD COLUMN {name} {_ADDED[name]}")
        self.mischief = Mischief()
        self.subscribed: frozenset[str] = frozenset()  # the kinds of events that our endpoint is sent

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one within another joins it."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._end("ROLLBACK")
                raise
            self._end("COMMIT")

    def _end(self, how: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._db.execute(how)

    def object(self, object_id: str) -> dict[str, Any] | None:
        row = self._row("SELECT body FROM object WHERE id = ?", object_id)
        return json.loads(row[0]) if row else None

    def objects(self, prefix: str, by: str, value: str, *, kind: str | None = None) -> list[dict[str, Any]]:
        """The objects whose id begins so and whose field `by` has that value, newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM object WHERE id LIKE ? AND json_extract(body, ?) = ? ORDER BY rowid DESC",
                (f"{prefix}%", f"$.{by}", value),
            ).fetchall()
        things = [json.loads(body) for (body,) in rows]
        return [thing for thing in things if kind is None or thing.get("kind") == kind]

    def made_between(
        self, prefix: str, since: int, until: int, *, after: str | None, limit: int, kind: str | None = None
    ) -> list[dict[str, Any]]:
        """The objects whose id begins so and which were made within those seconds, newest first; `after` that one.

        Ids without an underscore begin with nothing. `kind` tells those of one kind from others that begin so.
        """
        with self._lock:
            rows = self._db.execute(_MADE_BETWEEN, (prefix, since, until, kind, after, limit)).fetchall()
        return [json.loads(body) for (body,) in rows]

    def balances(self, prefix: str, now: int) -> list[tuple[str, int, int]]:
        """Of the objects whose id begins so: each currency, with the nets that are available by now, and the others."""
        with self._lock:
            return self._db.execute(
                "SELECT json_extract(body, '$.currency'), "
                "coalesce(sum(json_extract(body, '$.net')) FILTER (WHERE ready), 0), "
                "coalesce(sum(json_extract(body, '$.net')) FILTER (WHERE NOT ready), 0) "
                "FROM (SELECT body, coalesce(json_extract(body, '$.available_on'), 0) <= ? AS ready FROM object "
                "WHERE substr(id, 1, instr(id, '_')) = ?) GROUP BY 1 ORDER BY 1",
                (now, prefix),
            ).fetchall()

    def object_count(self, prefix: str) -> int:
        """How many objects there are whose id begins so, such as `cs_`."""
        row = self._row("SELECT count(*) FROM object WHERE id LIKE ?", f"{prefix}%")
        return int(row[0]) if row else 0

    def keep(self, thing: dict[str, Any]) -> None:
        """Write the object, new or changed."""
        self._run(
            "INSERT INTO object (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            thing["id"],
            json.dumps(thing),
        )

    def keep_all(self, things: Iterable[dict[str, Any]]) -> None:
        """Write many objects at once."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO object (id, body) VALUES (?, ?)",
                ((thing["id"], json.dumps(thing)) for thing in things),
            )

    def set_timer(self, object_id: str, what: str, due: float) -> None:
        self._run(
            "INSERT OR REPLACE INTO timer (object_id, what, due) VALUES (?, ?, ?)", object_id, what, due
        )

    def clear_timers(self, object_id: str) -> None:
        self._run("DELETE FROM timer WHERE object_id = ?", object_id)

    def due_timer(self, now: float) -> tuple[str, str] | None:
        """The object whose time has come first, and what is to happen to it."""
        row = self._row("SELECT object_id, what FROM timer WHERE due <= ? ORDER BY due LIMIT 1", now)
        return (row[0], row[1]) if row else None

    def add_event(self, event: dict[str, Any], made: float) -> None:
        self._add(event["id"], event["type"], json.dumps(event, indent=2), None, made)

    def add_callback(self, kind: str, body: str, *, url: str, made: float) -> None:
        """An event that is signed in its body and goes to an address of its own."""
        self._add(f"call_{secrets.token_hex(12)}", kind, body, url, made)

    def _add(self, event_id: str, kind: str, body: str, url: str | None, made: float) -> None:
        self._run(
            "INSERT INTO event (id, type, body, made, due, url, copies) VALUES (?, ?, ?, ?, ?, ?, ?)",
            event_id, kind, body, made, made + self.mischief.delay(), url, self.mischief.copies,
        )  # fmt: skip

    def claim_delivery(self, now: float, lease: float) -> Delivery | None:
        """Take the delivery that has waited longest; due again after `lease` if its end is not recorded."""
        row = self._row(
            "UPDATE event SET tries = tries + 1, due = ? WHERE id = "
            "(SELECT id FROM event WHERE due <= ? ORDER BY due, rowid LIMIT 1) "
            f"RETURNING {_COLUMNS}",
            now + lease,
            now,
        )
        return Delivery(*row) if row else None

    def record_delivery(
        self, event_id: str, *, due: float | None, answer: int | None, problem: str | None
    ) -> None:
        self._run(
            "UPDATE event SET due = ?, answer = ?, problem = ? WHERE id = ?", due, answer, problem, event_id
        )

    def arrived(self, event_id: str) -> None:
        """One of the copies that were to arrive has."""
        self._run("UPDATE event SET copies = copies - 1 WHERE id = ?", event_id)

    def deliver_again(self, event_id: str, now: float) -> None:
        self._run("UPDATE event SET due = ?, tries = 0, made = ? WHERE id = ?", now, now, event_id)

    def release_deliveries(self, now: float) -> None:
        """After a restart nobody holds a claim: everything unfinished is due at once."""
        self._run("UPDATE event SET due = ? WHERE due IS NOT NULL", now)

    def deliveries(self) -> list[Delivery]:
        """Every event, in the order in which they were made."""
        with self._lock:
            return [Delivery(*row) for row in self._db.execute(f"{_DELIVERY} ORDER BY rowid")]

    def next_due(self) -> float | None:
        """When something happens next."""
        row = self._row(
            "SELECT min(due) FROM (SELECT min(due) AS due FROM timer "
            "UNION ALL SELECT min(due) FROM event WHERE due IS NOT NULL)"
        )
        return row[0] if row else None

    def answer(self, key: str) -> tuple[str, str] | None:
        """What was asked first under this key, as a fingerprint, and the answer's body."""
        row = self._row("SELECT fingerprint, body FROM answer WHERE key = ?", key)
        return (row[0], row[1]) if row else None

    def keep_answer(self, key: str, fingerprint: str, body: str) -> None:
        self._run("INSERT INTO answer (key, fingerprint, body) VALUES (?, ?, ?)", key, fingerprint, body)

    def _run(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(sql, values)

    def _row(self, sql: str, *values: Any) -> Any:
        with self._lock:
            return next(iter(self._db.execute(sql, values).fetchall()), None)
