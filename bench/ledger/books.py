"""Databases with a ledger in them: new ones to post into, and such with a long history to read."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import ClientCursor
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from advancia.config import sqlalchemy_url
from advancia.ledger import filing, horizon
from advancia.ops.dev.postgres import SUPERUSER
from bench.server import Server

LOAD = (Path(__file__).parent / "load.sql").read_text(encoding="utf-8")
MOST_CUSTOMERS = 4000  # so that a longer ledger is one of longer histories
LEGS_EACH = 2.3  # entries of a transaction, on average, in what load.sql makes


def new_books(server: Server, name: str, *, customers: int) -> str:
    """A database in which `customers` have plenty of money and hardly any history."""
    server.new_database(name)
    load(server, name, customers=customers, txns=2 * customers + 1000)
    return name


def loaded_books(server: Server, name: str, *, entries: int) -> str:
    """A database with a history of about so many entries."""
    server.new_database(name)
    txns = int(entries / LEGS_EACH)
    load(server, name, customers=min(max(20, txns // 100), MOST_CUSTOMERS), txns=txns)
    _keep_house(server, name)
    return name


def _keep_house(server: Server, database: str) -> None:
    """Roll up and file, as the clock has it done every minute."""
    engine = create_engine(sqlalchemy_url(server.url(database)))
    with Session(engine) as session:
        horizon.roll_up(session)
        filing.file_entries(session)
    engine.dispose()
    server.sql("analyze ledger.rollup, ledger.filing, ledger.filed", database=database)


def load(server: Server, database: str, *, customers: int, txns: int) -> None:
    with psycopg.connect(
        server.url(database, SUPERUSER), autocommit=True, cursor_factory=ClientCursor
    ) as connection:
        connection.execute(LOAD, {"customers": customers, "txns": txns})
        connection.execute("vacuum (analyze)")


def entries_in(server: Server, database: str) -> int:
    with psycopg.connect(server.url(database)) as connection:
        row = connection.execute("select count(*) from ledger.entry").fetchone()
    return int(row[0]) if row else 0
