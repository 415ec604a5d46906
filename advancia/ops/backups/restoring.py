"""From a stored dump to rows: what a proof and a restore share."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO

import psycopg

from advancia.config import BackupSettings, Settings
from advancia.ops.backups import parts
from advancia.ops.backups.dump import connected
from advancia.ops.backups.errors import BackupTrouble
from advancia.ops.backups.keys import Identity
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.scratch import Scratch
from advancia.ops.backups.stores import Store
from advancia.ops.dev.postgres import binary
from advancia.ops.dev.postgres_checks import server_major

LONGEST_WORDS = 500
PIECE = 1024 * 1024
MAGIC = b"PGDMP"  # what a dump in PostgreSQL's custom format begins with


class RestoreFailed(BackupTrouble):
    """PostgreSQL refused what the dump wants it to do."""


class NewerPostgres(BackupTrouble):
    """The backup was made by a version of PostgreSQL that ours cannot read."""


def program(settings: BackupSettings, name: str) -> Path:
    """A program of PostgreSQL's: `pg_restore`, `psql`."""
    return settings.pg_bin / name if settings.pg_bin is not None else binary(name)


def check_version(settings: Settings, manifest: Manifest) -> str:
    """Say which versions made the dump and would read it. Raises `NewerPostgres`."""
    ours = _major(settings.backups)
    if manifest.postgres_major > ours:
        raise NewerPostgres(
            f"The backup was made by PostgreSQL {manifest.postgres_major}, and the programs here are of version "
            f"{ours}: set BACKUP_PG_BIN to those of that version."
        )
    return f"Made by PostgreSQL {manifest.facts.server_version}, read by version {ours}."


def check_opens(store: Store, manifest: Manifest, *, identities: Sequence[Identity]) -> None:
    """Decrypt the beginning. Raises `WrongKey`, `RestoreFailed`."""
    with parts.open_dump(store, manifest, identities=identities) as plain:
        begins = plain.read(len(MAGIC))
    if begins != MAGIC:
        raise RestoreFailed("What was decrypted is no dump of PostgreSQL's.")


def load(
    settings: Settings, store: Store, manifest: Manifest, *, identities: Sequence[Identity], scratch: Scratch
) -> None:
    """Restore the dump into an empty database, in one transaction, and gather statistics.

    Raises what is wrong with the dump, as `parts.open_dump`, before `RestoreFailed`.
    """
    has_roles = scratch.owner_url != scratch.app_url
    address, environ = connected(scratch.owner_url)
    command = [
        str(program(settings.backups, "pg_restore")),
        *("--exit-on-error", "--single-transaction", "--no-owner"),
        *([] if has_roles else ["--no-privileges"]),
        *("--dbname", address),
    ]
    with tempfile.TemporaryFile() as told:
        with parts.open_dump(store, manifest, identities=identities) as plain:
            ran = subprocess.run(
                command, env=environ, stdin=plain, stdout=subprocess.DEVNULL, stderr=told, check=False
            )
            if ran.returncode == 0:
                drain(plain)
        if ran.returncode != 0:
            raise RestoreFailed(f"PostgreSQL could not restore the dump: {last_words(told)}")
    with psycopg.connect(scratch.owner_url, autocommit=True) as owner:
        owner.execute("analyze")


def drain(plain: BinaryIO) -> None:
    """Read what is left of a dump: only at its end its checksum is compared."""
    while plain.read(PIECE):
        pass


def last_words(told: IO[bytes]) -> str:
    """The end of what a program has said."""
    told.seek(0)
    return " ".join(told.read().decode(errors="replace").split())[-LONGEST_WORDS:] or "it gave no reason"


def _major(settings: BackupSettings) -> int:
    if settings.pg_bin is None:
        return server_major()
    said = subprocess.run(
        [str(settings.pg_bin / "pg_restore"), "--version"], capture_output=True, text=True, check=True
    )
    return int(said.stdout.split()[-1].split(".")[0])
