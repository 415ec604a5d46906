"""Where the embedded servers put their sockets, whose paths the system keeps short."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from advancia.ops.dev.errors import StartError

LONGEST_PATH = 100  # bytes; macOS allows 103, Linux 107
LONGEST_NAME = ".s.PGSQL.5432"
OURS_ALONE = 0o700


def socket_folder(home: Path) -> Path:
    """A folder for the sockets of the server that lives in `home`: within, or a short one if that is long.

    The same for the same `home`, made if absent, open to nobody else. Raises `StartError`.
    """
    home.mkdir(mode=OURS_ALONE, parents=True, exist_ok=True)
    inside = home / "socket"
    if len(os.fsencode(inside / LONGEST_NAME)) <= LONGEST_PATH:
        inside.mkdir(mode=OURS_ALONE, exist_ok=True)
        return inside
    return _short_folder(home)


def _short_folder(home: Path) -> Path:
    name = "advancia-" + hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(folder / LONGEST_NAME)) > LONGEST_PATH:
        folder = Path("/tmp") / name  # noqa: S108 - the owner and the mode are checked below
    folder.mkdir(mode=OURS_ALONE, exist_ok=True)
    found = folder.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or stat.S_IMODE(found.st_mode) != OURS_ALONE
        or not _is_ours(found.st_uid, home)
    ):
        raise StartError(f"{folder} is not a folder of ours alone: remove it and start again.")
    return folder


def _is_ours(owner: int, home: Path) -> bool:
    """As root we may have given the folder to the user that runs the server."""
    return owner == os.geteuid() or (os.geteuid() == 0 and owner == home.stat().st_uid)
