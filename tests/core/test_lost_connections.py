"""A database that was away while connections lay idle is no reason for anything to fail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import create_engine, event, text

from advancia.config import sqlalchemy_url
from advancia.core.db import notice_lost_connections


@pytest.fixture
def engine(settings):
    made = create_engine(sqlalchemy_url(settings.database_url), pool_size=4, max_overflow=0)
    notice_lost_connections(made)
    yield made
    made.dispose()


def server_side(engine, count):
    """Take so many connections out of the pool and put them back; give the ids of their processes."""
    connections = [engine.connect() for _ in range(count)]
    pids = [each.scalar(text("SELECT pg_backend_pid()")) for each in connections]
    for each in connections:
        each.close()
    return pids


def end(settings, pids):
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        for pid in pids:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_connections_are_used_again(engine):
    assert set(server_side(engine, 3)) == set(server_side(engine, 3))


def test_lost_connections_are_replaced_before_anybody_notices(engine, settings):
    before = server_side(engine, 4)
    end(settings, before)
    after = server_side(engine, 4)

    assert not set(before) & set(after)


def test_many_at_once_notice_nothing_either(engine, settings):
    def works(number):
        with engine.connect() as connection:
            return connection.scalar(text("SELECT :n + 1"), {"n": number})

    for _ in range(3):
        end(settings, server_side(engine, 4))
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(works, range(40))) == list(range(1, 41))


def test_a_server_that_speaks_without_having_gone_keeps_its_connection(engine, settings):
    with engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.execute(text("LISTEN something"))
        connection.commit()
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute("NOTIFY something")

    assert server_side(engine, 1) == [pid]


def test_a_quiet_connection_is_not_asked(engine):
    server_side(engine, 1)
    asked = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    with engine.connect() as connection:
        spoken = connection.connection.driver_connection
        spoken.execute = lambda *_: asked.append("ping")
        connection.execute(text("SELECT 2"))

    assert asked == ["SELECT 2"]
