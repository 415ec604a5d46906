"""The shortest way from a session to the database: for a call that every posting or every webhook makes.

To execute one statement costs SQLAlchemy about as much of its process as the whole call costs the driver. So the call
goes to the session's connection itself: the same connection, the same transaction. What is lost are SQLAlchemy's events
and its log of statements.
"""

from __future__ import annotations

from typing import Any, cast

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session


def one_row(session: Session, sql: str, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    """Run a statement in the session's transaction and give its only row. Raises `DBAPIError`, as the session would."""
    connection = session.connection()
    driver = cast("psycopg.Connection[tuple[Any, ...]]", connection.connection.driver_connection)
    try:
        row = driver.execute(sql, parameters).fetchone()
    except psycopg.Error as error:
        raise _as_sqlalchemy_has_it(error, connection, driver, sql) from error
    if row is None:
        raise RuntimeError("A statement that always gives a row gave none.")
    return row


def _as_sqlalchemy_has_it(
    error: psycopg.Error, connection: Connection, driver: psycopg.Connection[Any], sql: str
) -> BaseException:
    """The error that the session would have raised; like it, takes a connection that is gone out of the pool."""
    is_gone = driver.closed
    if is_gone:
        connection.invalidate(error)
    return cast(
        "BaseException",
        DBAPIError.instance(
            sql,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=is_gone,
            dialect=connection.dialect,
        ),
    )
