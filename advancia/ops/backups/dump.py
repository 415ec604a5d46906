"""pg_dump of the server's own version, on a snapshot that somebody else holds."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from advancia.config import BackupSettings
from advancia.ops.backups.errors import BackupFailed, NotSetUp
from advancia.ops.dev.errors import StartError
from advancia.ops.dev.postgres import binary

LAST_WORDS = 500  # characters of what a program complained of
PIPE_BYTES = 1024 * 1024
VERSION = re.compile(r"\(PostgreSQL\)\s+(\d+)")


def program(settings: BackupSettings, name: str, *, major: int) -> Path:
    """pg_dump, pg_restore or psql of that major version. Raises `NotSetUp`."""
    found = _found(settings, name)
    try:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as trouble:
        raise NotSetUp(
            f"{found} does not run: {trouble}. Set BACKUP_PG_BIN to the folder that holds it."
        ) from None
    version = VERSION.search(told)
    if version is None or int(version[1]) != major:
        raise NotSetUp(
            f"The database is PostgreSQL {major}, and {found} says {told.strip()!r}: set BACKUP_PG_BIN to the folder "
            f"with the programs of PostgreSQL {major}."
        )
    return found


def _found(settings: BackupSettings, name: str) -> Path:
    if settings.pg_bin is not None:
        return settings.pg_bin / name
    try:
        return binary(name)
    except StartError as missing:
        raise NotSetUp(f"{missing} Or set BACKUP_PG_BIN to the folder with pg_dump.") from None


def connected(url: str) -> tuple[str, dict[str, str]]:
    """An address for a program's command line, and what it finds in its environment: the password, which others on
    the machine could read in the first.
    """
    words = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    password = words.pop("password", None)
    environ = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    return make_conninfo(**words), environ | ({"PGPASSWORD": password} if password else {})


@contextmanager
def dumping(settings: BackupSettings, url: str, *, snapshot: str, major: int) -> Iterator[IO[bytes]]:
    """Give the dump (custom format) as a stream that must be read to its end.

    Raises `BackupFailed` with pg_dump's own words when it did not end well; it is ended when the block is left early.
    """
    address, environ = connected(url)
    command = [
        str(program(settings, "pg_dump", major=major)),
        *("--format=custom", f"--snapshot={snapshot}", "--no-password", f"--dbname={address}"),
    ]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            bufsize=PIPE_BYTES,
            start_new_session=True,
        )
        try:
            with cast("IO[bytes]", process.stdout) as plain:
                yield plain
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if code != 0:
            complaints.seek(0)
            raise BackupFailed(f"pg_dump ended with {code}: {_last_words(complaints)}")


@contextmanager
def snapshot_of(url: str) -> Iterator[tuple[psycopg.Connection[tuple[object, ...]], str]]:
    """A transaction that sees one moment, and the name by which others see the same; it stays open for the block."""
    connection = psycopg.connect(url, application_name="backup")
    try:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        connection.execute("set local statement_timeout = 0")
        row = connection.execute("select pg_export_snapshot()").fetchone()
        yield connection, str((row or ("",))[0])
    finally:
        connection.close()  # it has only read


def _last_words(complaints: IO[bytes]) -> str:
    text = complaints.read().decode(errors="replace").strip()
    return text[-LAST_WORDS:] or "it did not say why"
