"""PostgreSQL refuses to run as root: this finds another way, without making users or opening folders.

As an ordinary user there is nothing to do. As root, the ways are tried in this order: the user who owns
the data already; a user namespace, in which root is seen as an unprivileged user; the user `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from advancia.ops.dev.errors import StartError

UNPRIVILEGED_ID = 65534  # `nobody` on Linux, and the id that the kernel shows for ids it cannot map


@dataclass(frozen=True)
class Way:
    """How to run a program: behind which command, and as which user (None: as ourselves)."""

    prefix: tuple[str, ...] = ()
    user: int | None = None

    def command(self, words: Sequence[str | Path]) -> list[str | Path]:
        return [*self.prefix, *words]

    def give(self, *folders: Path) -> None:
        """Let the user of this way own `folders`, which must be ours."""
        if self.user is not None:
            for folder in folders:
                os.chown(folder, self.user, self.user)


def way_to_run(program: Path, home: Path) -> Way:
    """The first way in which `program` can work in `home`, a folder of ours. Raises `StartError`."""
    if os.geteuid() != 0:
        return Way()
    for way in _ways_for_root(home):
        if _works(way, program, home):
            return way
    raise StartError(
        f"PostgreSQL does not run as root, and no other user can reach {home}: start this as an "
        "ordinary user, or set ADVANCIA_VAR to a folder that every user can reach, like /var/lib/advancia."
    )


def _ways_for_root(home: Path) -> Iterator[Way]:
    owner = home.stat().st_uid
    if owner != 0:
        yield Way(user=owner)
        return
    if shutil.which("unshare"):
        yield Way(prefix=("unshare", "--user", f"--map-user={UNPRIVILEGED_ID}"))
    if not any(home.glob("data*")):
        yield Way(user=_nobody())


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return UNPRIVILEGED_ID


def _works(way: Way, program: Path, home: Path) -> bool:
    """Try it: the program must start, and a file in `home` be allowed."""
    before = home.stat()
    way.give(home)
    probe = home / f".probe-{os.getpid()}"
    script = '"$0" --version && : >"$1" && rm "$1"'
    try:
        ran = subprocess.run(
            way.command(["sh", "-c", script, program, probe]),
            cwd="/",
            capture_output=True,
            check=False,
            user=way.user,
            group=way.user,
            extra_groups=None if way.user is None else [],
        )
        worked = ran.returncode == 0
    except OSError:
        worked = False
    if not worked:
        os.chown(home, before.st_uid, before.st_gid)
    return worked
