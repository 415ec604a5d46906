"""The folder of a running copy (`ADVANCIA_VAR`): one supervisor at a time, and tidied after a crash."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyrage import x25519

from advancia.ops.dev.errors import StartError, not_writable
from advancia.ops.dev.processes import (
    ON_LINUX,
    SERVER_PID_FILE,
    PidFile,
    family_of,
    kill_family,
    send,
    wait_until,
)

BACKUP_IDENTITY = "backup-identity.txt"


def make(var: Path) -> None:
    """Make the folder and its parts where they are missing. Raises `StartError`."""
    # As root, a server may have to run as another user, who must get through this folder to its own.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        if not var.exists():
            var.mkdir(mode=mode, parents=True)
        for part in ("log", "run", "secrets"):
            (var / part).mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=var / part):
                pass
    except OSError as failure:
        raise not_writable(var, failure) from failure


@contextmanager
def held(var: Path) -> Iterator[None]:
    """Keep every other supervisor out of `var`. Raises `StartError` when one is in it."""
    path = var / "run" / "supervisor.lock"
    try:
        lock = path.open("a+")
    except OSError as failure:
        raise not_writable(path, failure) from failure
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as failure:
            lock.seek(0)
            by = lock.read().strip() or "unknown"
            raise StartError(
                f"Another copy (process {by}) is running in {var}: stop it, or give this one its own place, "
                "like ADVANCIA_VAR=var2 PORT=8010 ./run"
            ) from failure
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def end_leftovers(var: Path, *, seconds: float = 5) -> list[str]:
    """End what a supervisor that was killed left running in `var`; return the names of what was found.

    Only processes that it started are touched: each is known by its id and its time of birth.
    """
    files = [*sorted((var / "run").glob("*.pid")), *sorted(var.glob(f"*/{SERVER_PID_FILE}"), reverse=True)]
    return [_name_of(path) for path in files if _end(PidFile(path), var, seconds)]


def _name_of(path: Path) -> str:
    return path.parent.name if path.name == SERVER_PID_FILE else path.stem


def _end(remembered: PidFile, var: Path, seconds: float) -> bool:
    leader = remembered.leader()
    found = leader is not None and (remembered.is_alive() or _left_by(leader, var))
    if found and leader is not None:
        if remembered.is_alive():
            # On SIGTERM, PostgreSQL would wait for its clients to go; on SIGINT it sends them away.
            send(leader, signal.SIGINT if remembered.path.name == SERVER_PID_FILE else signal.SIGTERM)
            wait_until(lambda: not remembered.is_alive(), seconds=seconds, every=0.02)
        kill_family(leader)
    remembered.forget()
    return found


def _left_by(leader: int, var: Path) -> bool:
    """Whether the session of a dead leader has members that say they belong to this folder."""
    if not ON_LINUX:
        return False
    mark = b"ADVANCIA_VAR=" + os.fsencode(var)
    for pid in family_of(leader):
        with suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                return True
    return False


def secret(var: Path, name: str) -> str:
    """The secret of this name, made at the first asking and kept for the next, readable to nobody else."""
    path = var / "secrets" / name
    with suppress(FileNotFoundError):
        if kept := path.read_text().strip():
            return kept
    made = secrets.token_hex(32)
    write_private(path, made + "\n")
    return made


def backup_recipient(var: Path) -> str:
    """The public key that backups are encrypted for; its secret half is made at the first asking, and kept here."""
    path = var / "secrets" / BACKUP_IDENTITY
    with suppress(FileNotFoundError):
        *_, kept = path.read_text().split()
        return str(x25519.Identity.from_str(kept).to_public())
    made = x25519.Identity.generate()
    public = str(made.to_public())
    write_private(path, f"# public key: {public}\n{made}\n")
    return public


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read; it appears whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)
