"""What is done after the dump, in the transaction that replaces everything: the same moment makes both so, or neither.

The dump's rows are counted, what outlives a restore is put back, what was over is ended, letters are held, and money is
paused.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from advancia.core.jobs import Job
from advancia.ops.backups import letters
from advancia.ops.backups.manifest import Manifest

# What was made since the backup is known by its rows, and it stays locked down until it has been looked at.
KEPT = {"backup": "id", "backup_proof": "id"}
# A backup that the worker has made holds the very work of making it, as not done yet.
ABOUT_BACKUPS = (Job.BACK_UP, Job.PROVE_BACKUP, Job.PRUNE_BACKUPS)
OVER = sql.SQL(
    "update outbox set done_at = now(), secret = null, encrypted_secret = null, parked_at = null,"
    " outcome = 'It was over: the backup that holds it was restored.' where kind = any({kinds}) and done_at is null"
)
# A mail is known to mailboxes by its row's number, so no number is given out again: they would hide the second mail.
# psql notes the last one when everything is locked, and puts it into the statement that comes at the end.
NOTE_LAST_MAIL = """
select coalesce((select last_value from pg_sequences
                 where schemaname = 'public' and sequencename = 'outbox_id_seq'), 0) as last_mail \\gset
"""
NO_NUMBER_AGAIN = sql.SQL(
    "select setval('outbox_id_seq', greatest(:last_mail, (select last_value from outbox_id_seq), 1))"
)
# The clock was not away for what lies between the backup and now.
CLOCK_BEGINS_ANEW = sql.SQL("update clock_line set known_since = now(), turn = null")


def statements(manifest: Manifest, *, reason: str, kept: dict[str, str]) -> bytes:
    """All of them, for psql; the last one commits."""
    told = [
        sql.SQL("set search_path = public"),
        *(_counted(table, rows) for table, rows in manifest.facts.tables.items()),
        *(sql.SQL("delete from {}").format(sql.Identifier(table)) for table in reversed(KEPT)),
        *(_put_back(table, kept[table]) for table in KEPT),
        OVER.format(kinds=[job.value for job in ABOUT_BACKUPS]),
        letters.HOLD,
        NO_NUMBER_AGAIN,
        CLOCK_BEGINS_ANEW,
        sql.SQL(
            "update lockdown set since = now(), reason = {reason}, set_by = null, is_total = true"
        ).format(reason=reason),
        sql.SQL("select ledger.freeze(true)"),
        sql.SQL("commit"),
    ]
    return (";\n".join(each.as_string(None) for each in told) + ";\n").encode()


def kept_rows(url: str) -> dict[str, str]:
    """The rows that outlive a restore, as JSON, by their table."""
    with psycopg.connect(url) as connection:
        return {table: _as_json(connection, table) for table in KEPT}


def _counted(table: str, rows: int) -> sql.Composed:
    """A statement that breaks everything off unless the table has so many rows."""
    schema, _, name = table.partition(".")
    return sql.SQL(
        "do $$ begin if (select count(*) from {table}) <> {rows} then "
        "raise exception '% does not have the rows of the manifest', {name}; end if; end $$"
    ).format(table=sql.Identifier(schema, name), rows=rows, name=table)


def _put_back(table: str, rows: str) -> sql.Composed:
    return sql.SQL(
        "insert into {table} overriding system value"
        " select * from jsonb_populate_recordset(null::{table}, {rows}::jsonb);\n"
        "select setval(pg_get_serial_sequence({name}, {key}), greatest((select max({column}) from {table}), 1))"
    ).format(
        table=sql.Identifier(table),
        rows=rows,
        name=table,
        key=KEPT[table],
        column=sql.Identifier(KEPT[table]),
    )


def _as_json(connection: psycopg.Connection[Any], table: str) -> str:
    query = sql.SQL("select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text from {} t").format(
        sql.Identifier(table)
    )
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else "[]"
