"""What a database holds, at one moment: what a manifest says of the original, and a proof looks for in the copy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

FETCHED_AT_ONCE = 10_000

TABLES = """
    select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence = 'p'
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
    order by 1, 2
"""
SERVER = "select current_setting('server_version'), pg_database_size(current_database())"
REVISION = "select coalesce(max(version_num), '') from alembic_version"
LEDGER = """
    select coalesce((select max(id) from ledger.txn), 0), coalesce((select max(id) from ledger.seal), 0),
           coalesce((select encode(head, 'hex') from ledger.seal order by id desc limit 1), '')
"""
# The house's accounts keep no balance of their own: theirs is the sum of their entries.
BALANCES = """
    select a.id, a.holder, a.asset, a.purpose, a.seq, coalesce(h.balance, a.balance)
    from ledger.account a
    left join (select account_id, sum(amount) as balance from ledger.entry
               where account_id in (select id from ledger.account where holder = 0) group by 1) h on h.account_id = a.id
    order by a.id
"""


@dataclass(frozen=True)
class Facts:
    """What is compared. `tables` are the rows of each, by schema and name; `balance_digest` is over all accounts."""

    server_version: str
    database_bytes: int
    schema_revision: str
    tables: dict[str, int]
    last_txn: int
    last_seal: int
    seal_head: str
    accounts: int
    balance_digest: str

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def facts_of(connection: psycopg.Connection[Any]) -> Facts:
    """Look at everything in the transaction that is open on the connection. Reads every table, and holds nobody up."""
    server_version, database_bytes = _row(connection, SERVER)
    last_txn, last_seal, seal_head = _row(connection, LEDGER)
    accounts, digest = _balances(connection)
    return Facts(
        server_version=server_version,
        database_bytes=database_bytes,
        schema_revision=_row(connection, REVISION)[0],
        tables=_counts(connection),
        last_txn=last_txn,
        last_seal=last_seal,
        seal_head=seal_head,
        accounts=accounts,
        balance_digest=digest,
    )


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(query).fetchone() or ()
    return row


def _counts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    counts = {}
    for schema, table in connection.execute(TABLES).fetchall():
        count = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
        row = connection.execute(count).fetchone()
        counts[f"{schema}.{table}"] = row[0] if row else 0
    return counts


def _balances(connection: psycopg.Connection[Any]) -> tuple[int, str]:
    """How many accounts there are, and the SHA-256 over each with its balance, in the order of their ids."""
    digest, accounts = hashlib.sha256(), 0
    with connection.cursor(name="balances") as cursor:
        cursor.itersize = FETCHED_AT_ONCE
        for row in cursor.execute(BALANCES):
            digest.update(("|".join(str(each) for each in row) + "\n").encode())
            accounts += 1
    return accounts, digest.hexdigest()
