"""Ports: whether one is free, who has it, and one of our own to keep."""

from __future__ import annotations

import errno
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from advancia.ops.dev.errors import StartError

HIGHEST = 65535


def check_free(host: str, port: int) -> None:
    """Raise `StartError` when `port` cannot be listened on at `host`."""
    try:
        taken = answers(port) or not _can_listen(host, port)
    except PermissionError as failure:
        raise StartError(f"Port {port} is reserved for the system: set PORT to one above 1023.") from failure
    except OSError as failure:
        raise StartError(
            f"{host} cannot be listened on ({failure.strerror}): set HOST to 127.0.0.1."
        ) from failure
    if taken:
        other = port + 1 if port < HIGHEST else port - 1
        raise StartError(
            f"Port {port} is in use{_by_whom(port)}: set PORT to another, like PORT={other} ./run"
        )


def own_port(remembered: Path) -> int:
    """A free port on this machine: the one in the file `remembered` if it is still free, or a new one."""
    with suppress(OSError, ValueError):
        port = int(remembered.read_text())
        if not answers(port) and _can_listen("127.0.0.1", port):
            return port
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        chosen: int = listener.getsockname()[1]
    remembered.write_text(f"{chosen}\n")
    return chosen


def _can_listen(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as failure:
            if failure.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def answers(port: int) -> bool:
    """Whether somebody listens already, which on some systems does not keep another from listening too."""
    with socket.socket() as caller:
        caller.settimeout(0.2)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _by_whom(port: int) -> str:
    """Which process listens, as far as the system tells us."""
    if not shutil.which("lsof"):
        return ""
    shown = subprocess.run(
        ["lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"], capture_output=True, text=True, check=False
    )
    pids = shown.stdout.split()
    return f" by process {pids[0]}" if pids else ""
