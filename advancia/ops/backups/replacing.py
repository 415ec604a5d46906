"""Replacing everything in the database by what a dump holds, in one transaction: all the backup's, or all as it was.

psql is told to commit in the very last line that it reads. Whatever breaks off before, even the death of this process,
closes its input, and the server takes everything back. If that happens at that line, the database is asked what stands.
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO, cast

import psycopg

from advancia.config import Settings
from advancia.core import log
from advancia.ops.backups import ending, parts
from advancia.ops.backups.dump import connected
from advancia.ops.backups.errors import BackupTrouble
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
{ending.NOTE_LAST_MAIL}
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
LONGEST_SILENCE = 30.0  # seconds in which the database may say what stands
ENDING_SECONDS = 10

_log = log.logger(__name__)


class NotKnown(BackupTrouble):
    """The connection was lost when it was to be committed, and the database does not say whether it was."""

    def __init__(self) -> None:
        super().__init__("The connection was lost at the very end, and the database does not answer.")


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
    `parts.open_dump`, and `RestoreFailed`; then everything is as it was. Raises `NotKnown`; then either may be so.
    """
    with _emptied(settings) as psql:
        with parts.open_dump(store, manifest, identities=identities) as plain:
            _pour(settings, plain, psql)
        try:
            psql.write(ending.statements(manifest, reason=reason, kept=kept))
            psql.end()
        except BaseException as trouble:  # whatever it is: it may have come after the end
            if not _stands(settings, psql, reason):
                raise
            _log.warning("restore_stands", trouble=f"{type(trouble).__name__}: {trouble}")


class _Psql:
    """psql as the database's owner, fed with statements; killed at the end unless it has ended well."""

    def __init__(self, settings: Settings, told: IO[bytes]) -> None:
        address, environ = connected(settings.database_owner_url or "")
        self.name = f"backup restore {secrets.token_hex(6)}"  # by which the server knows its connection
        self._told = told
        self.process = subprocess.Popen(
            [str(program(settings.backups, "psql")), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", address],
            env={**environ, "PGAPPNAME": self.name},
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


def _stands(settings: Settings, psql: _Psql, reason: str) -> bool:
    """Whether it was committed, once its end is sure: the lockdown says so for this reason since then, and only then.

    Raises `NotKnown`.
    """
    until = time.monotonic() + LONGEST_SILENCE
    while True:
        try:
            with psycopg.connect(
                settings.database_owner_url or "", autocommit=True, connect_timeout=5
            ) as owner:
                _see_it_end(owner, psql.name)
                row = owner.execute("select reason from lockdown").fetchone()
                return row is not None and row[0] == reason
        except psycopg.OperationalError:  # it restarts, perhaps
            if time.monotonic() > until:
                raise NotKnown from None
            time.sleep(0.5)


def _see_it_end(owner: psycopg.Connection[Any], name: str) -> None:
    """Break off the connection of that name, and wait until it is gone: what it has begun is undone or done then."""
    owner.execute("set lock_timeout = '10s'")
    owner.execute(
        "select pg_terminate_backend(pid, %s) from pg_stat_activity"
        " where datname = current_database() and usename = current_user and application_name = %s",
        (ENDING_SECONDS * 1000, name),
    )


def send_others_away(url: str) -> None:
    """Break off all other connections of the app's role: what they ask for next, they ask of the new database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and usename = current_user and pid <> pg_backend_pid()"
        )
