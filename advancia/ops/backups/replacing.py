"""Replacing everything in the database by what a dump holds, in one transaction: all the backup's, or all as it was.

psql is told to commit in the very last line that it reads. Whatever breaks off before, even the death of this process,
closes its input, and the server takes everything back.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO, cast

import psycopg
from psycopg import sql

from advancia.config import Settings
from advancia.core.jobs import Job
from advancia.ops.backups import parts
from advancia.ops.backups.dump import connected
from advancia.ops.backups.keys import Identity
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.restoring import RestoreFailed, drain, last_words, program
from advancia.ops.backups.stores import Store

TRIES = 5
PIECE = 1024 * 1024
READY = "everything is locked"

# Tables first, all of them at once: whoever still reads one is waited for here, before anything is gone.
LOCK_AND_EMPTY = f"""
begin;
set local lock_timeout = '5s';
do $$
declare
  v_tables text;
begin
  select string_agg(c.oid::regclass::text, ', ') into v_tables from pg_class c
  where c.relkind = 'r' and c.relpersistence = 'p' and c.relnamespace not in (
    select oid from pg_namespace where nspname like 'pg\\_%' or nspname = 'information_schema');
  if v_tables is not null then
    execute 'lock table ' || v_tables || ' in access exclusive mode';
  end if;
end $$;
\\echo {READY}
\\o /dev/null
do $$
declare
  each record;
begin
  for each in select nspname as name from pg_namespace
              where nspname not like 'pg\\_%' and nspname not in ('information_schema', 'public') loop
    execute format('drop schema %I cascade', each.name);
  end loop;
  for each in select c.oid::regclass as name from pg_class c
              where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace loop
    execute format('drop table if exists %s cascade', each.name);
  end loop;
  for each in select c.oid::regclass as name, c.relkind from pg_class c
              where c.relkind in ('v', 'm', 'S') and c.relnamespace = 'public'::regnamespace loop
    execute format('drop %s if exists %s cascade', case each.relkind when 'v' then 'view'
                   when 'm' then 'materialized view' else 'sequence' end, each.name);
  end loop;
  for each in select p.oid::regprocedure as name from pg_proc p where p.pronamespace = 'public'::regnamespace loop
    execute format('drop routine if exists %s cascade', each.name);
  end loop;
  for each in select t.oid::regtype as name from pg_type t
              where t.typnamespace = 'public'::regnamespace and t.typtype in ('d', 'e') loop
    execute format('drop type if exists %s cascade', each.name);
  end loop;
end $$;
"""
# What was made since the backup is known by its rows, and it stays locked down until it has been looked at.
KEPT = {"backup": "id", "backup_proof": "id"}
# A backup that the worker has made holds the very work of making it, as not done yet.
ABOUT_BACKUPS = (Job.BACK_UP, Job.PROVE_BACKUP, Job.PRUNE_BACKUPS)
OVER = sql.SQL(
    "update outbox set done_at = now(), secret = null, encrypted_secret = null, parked_at = null,"
    " outcome = 'It was over: the backup that holds it was restored.' where kind = any({kinds}) and done_at is null"
)


def replace(
    settings: Settings,
    store: Store,
    manifest: Manifest,
    *,
    identities: Sequence[Identity],
    reason: str,
    kept: dict[str, str],
) -> None:
    """Replace all schemas, tables and rows by the backup's, and commit, as the database's owner.

    The rows of the dump are counted before that. `kept` are rows by their table, as JSON, which are put in the place of
    the backup's; the lockdown is on in what is committed, for `reason`. Raises what is wrong with the dump, as
    `parts.open_dump`, and `RestoreFailed`; then everything is as it was.
    """
    with _emptied(settings) as psql:
        with parts.open_dump(store, manifest, identities=identities) as plain:
            _pour(settings, plain, psql)
        psql.write(_ending(manifest, reason=reason, kept=kept))
        psql.end()


class _Psql:
    """psql as the database's owner, fed with statements; killed at the end unless it has ended well."""

    def __init__(self, settings: Settings, told: IO[bytes]) -> None:
        address, environ = connected(settings.database_owner_url or "")
        self._told = told
        self.process = subprocess.Popen(
            [str(program(settings.backups, "psql")), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", address],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
        )

    def write(self, statements: bytes) -> None:
        """Raises `RestoreFailed` with its last words when it is gone."""
        try:
            cast("BinaryIO", self.process.stdin).write(statements)
            cast("BinaryIO", self.process.stdin).flush()
        except BrokenPipeError:
            self.process.wait()
            raise self.refusal() from None

    def says(self) -> str:
        """The next line of what it prints; empty when it has ended."""
        return cast("BinaryIO", self.process.stdout).readline().decode().strip()

    def end(self) -> None:
        """Let it come to its end. Raises `RestoreFailed`."""
        cast("BinaryIO", self.process.stdin).close()
        if self.process.wait() != 0:
            raise self.refusal()

    def refusal(self) -> RestoreFailed:
        return RestoreFailed(f"PostgreSQL refused: {last_words(self._told)}")


@contextmanager
def _emptied(settings: Settings) -> Iterator[_Psql]:
    """A psql with everything locked and emptied, within a transaction that nobody has committed."""
    for turn in range(1, TRIES + 1):
        send_others_away(settings.database_url)
        with _begun(settings) as psql:
            psql.write(LOCK_AND_EMPTY.encode())
            if psql.says() == READY:
                yield psql
                return
            psql.process.wait()
            if turn == TRIES:
                raise psql.refusal()


@contextmanager
def _begun(settings: Settings) -> Iterator[_Psql]:
    with tempfile.TemporaryFile() as told:
        psql = _Psql(settings, told)
        try:
            yield psql
        finally:
            psql.process.kill()
            psql.process.wait()
            for pipe in (psql.process.stdin, psql.process.stdout):
                with suppress(BrokenPipeError):
                    cast("BinaryIO", pipe).close()


def _pour(settings: Settings, plain: BinaryIO, psql: _Psql) -> None:
    """The dump as statements, into psql. Raises `RestoreFailed`."""
    command = [str(program(settings.backups, "pg_restore")), "--no-owner", "-f", "-"]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(command, stdin=plain, stdout=subprocess.PIPE, stderr=told) as reader,
    ):
        try:
            while piece := cast("BinaryIO", reader.stdout).read(PIECE):
                psql.write(piece)
        except BaseException:
            reader.kill()
            raise
        if reader.wait() != 0:
            raise RestoreFailed(f"The dump could not be read: {last_words(told)}")
    drain(plain)


def _ending(manifest: Manifest, *, reason: str, kept: dict[str, str]) -> bytes:
    """What comes after the dump: its rows are counted, ours are put back, money is paused, and it is committed."""
    statements = [
        sql.SQL("set search_path = public"),
        *(_counted(table, rows) for table, rows in manifest.facts.tables.items()),
        *(sql.SQL("delete from {}").format(sql.Identifier(table)) for table in reversed(KEPT)),
        *(_put_back(table, kept[table]) for table in KEPT),
        OVER.format(kinds=[job.value for job in ABOUT_BACKUPS]),
        sql.SQL(
            "update lockdown set since = now(), reason = {reason}, set_by = null, is_total = true"
        ).format(reason=reason),
        sql.SQL("select ledger.freeze(true)"),
        sql.SQL("commit"),
    ]
    return (";\n".join(each.as_string(None) for each in statements) + ";\n").encode()


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


def kept_rows(url: str) -> dict[str, str]:
    """The rows that outlive a restore, as JSON, by their table."""
    with psycopg.connect(url) as connection:
        return {table: _as_json(connection, table) for table in KEPT}


def _as_json(connection: psycopg.Connection[Any], table: str) -> str:
    query = sql.SQL("select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text from {} t").format(
        sql.Identifier(table)
    )
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else "[]"


def send_others_away(url: str) -> None:
    """Break off all other connections of the app's role: what they ask for next, they ask of the new database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and usename = current_user and pid <> pg_backend_pid()"
        )
