"""The database: one SQLAlchemy instance, and the unit of work through which everything is written.

Only views, jobs and commands open a unit of work; services receive its session and never commit.
No call over the network happens inside one.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

import psycopg
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, Table, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session

__all__ = [
    "Model",
    "NestedUnitOfWork",
    "Session",
    "WriteOnSafeMethod",
    "bookkeeping",
    "db",
    "in_unit_of_work",
    "notice_lost_connections",
    "reading_only",
    "table_of",
    "unit_of_work",
]

T = TypeVar("T")

RETRYABLE = {"40P01", "40001"}  # deadlock_detected, serialization_failure
ATTEMPTS = 3


class Model(DeclarativeBase):
    """Base of every table of ours; constraints get predictable names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def table_of(model: type[Model]) -> Table:
    """A model's table, for statements that run thousands of times a minute.

    Composed once, of tables and bound parameters, and run on `session.connection()`, such a statement costs a tenth of
    what it costs to compose it of the model each time. Nothing that the session has pending is flushed before it.
    """
    return cast("Table", model.__table__)


db = SQLAlchemy(model_class=Model)

_reading_only: ContextVar[bool] = ContextVar("reading_only", default=False)


class NestedUnitOfWork(RuntimeError):
    """A unit of work was opened inside another: the inner commit would tear the outer one apart."""


class WriteOnSafeMethod(RuntimeError):
    """A page that answers GET tried to write."""


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """Give a session whose changes are committed together at the end, or not at all.

    Raises `NestedUnitOfWork` when one is open, `WriteOnSafeMethod` while a GET request is answered.
    """
    if _reading_only.get():
        raise WriteOnSafeMethod("A GET request may not change anything.")
    with bookkeeping() as session:
        yield session


@contextmanager
def bookkeeping() -> Iterator[Session]:
    """A unit of work for what the server notes of its own accord, also during a GET: when a session was last used.

    Nothing that a customer could see as a change belongs here.
    """
    session = db.session()
    if session.info.get("unit_of_work"):
        raise NestedUnitOfWork("A unit of work is already open.")
    session.info["unit_of_work"] = True
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("unit_of_work", None)


def in_unit_of_work(action: Callable[[Session], T]) -> T:
    """Run `action` in a unit of work, again (at most three times) when the database chose it to break a deadlock.

    `action` must have no effect outside the database. Any other error is raised as it came.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with unit_of_work() as session:
                return action(session)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in RETRYABLE or attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


@contextmanager
def reading_only() -> Iterator[None]:
    """Refuse every unit of work for the duration; the pages wrap safe requests in it."""
    token = _reading_only.set(True)
    try:
        yield
    finally:
        _reading_only.reset(token)


def notice_lost_connections(engine: Engine) -> None:
    """Replace pooled connections whose server has gone before anybody works with them.

    The pool's own way is to ask the server each time, a round trip for every unit of work. But a server that goes
    closes the connection, and that can be seen from here; so it is asked only where there is something to hear.
    """
    event.listen(engine, "checkout", _check_connection)


def _check_connection(driver: psycopg.Connection, _record: object, _proxy: object) -> None:
    try:
        if driver.closed or _has_something_to_say(driver):
            driver.execute("SELECT 1")
            driver.rollback()
    except psycopg.Error as gone:
        raise InvalidatePoolError("The connection was lost while nobody used it.") from gone


def _has_something_to_say(driver: psycopg.Connection) -> bool:
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))
