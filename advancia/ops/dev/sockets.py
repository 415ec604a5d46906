"""Where the embedded servers put their sockets, whose paths the system keeps short."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from advancia.ops.dev.errors import StartError

LONGEST_PATH = 100  # bytes; macOS allows 103, Linux 107
LONGEST_NAME = ".s.PGSQL.5432"
OURS_ALONE = 0o700


def socket_folder(home: Path) -> Path:
    """Where the server that lives in `home` keeps its sockets: within, or in a short folder if that is long.

    The same for the same `home`; `make_socket_folder` makes it.
    """
    name = "advancia-" + hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    for folder in (home / "socket", Path(tempfile.gettempdir()) / name):
        if _is_usable(folder):
            return folder
    return Path("/tmp") / name  # noqa: S108 - who makes it checks the owner and the mode


def make_socket_folder(home: Path) -> None:
    """Make the folder if it is absent, open to nobody else. Raises `StartError` if it is not ours alone."""
    folder = socket_folder(home)
    folder.mkdir(mode=OURS_ALONE, exist_ok=True)
    found = folder.lstat()
    is_private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == OURS_ALONE
    if not is_private or not _is_ours(found.st_uid, home):
        raise StartError(f"{folder} is not a folder of ours alone: remove it and start again.")


def remove_socket_folder(home: Path) -> None:
    """Leave no empty folder behind in the system's temporary one."""
    with suppress(OSError):
        socket_folder(home).rmdir()


def _is_usable(folder: Path) -> bool:
    """Whether the path is short, and free of what PostgreSQL's clients take for more than one address."""
    return len(os.fsencode(folder / LONGEST_NAME)) <= LONGEST_PATH and not set(',"') & set(str(folder))


def _is_ours(owner: int, home: Path) -> bool:
    """As root we may have given the folder to the user that runs the server."""
    return owner == os.geteuid() or (os.geteuid() == 0 and owner == home.stat().st_uid)
