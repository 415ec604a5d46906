"""Letting others go first where processors are short."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def step_back(niceness: int) -> None:
    """Make this process that nice, for good; to be called once, at its start.

    Linux with `sched_autogroup` weighs whole sessions against each other, and a process's own niceness only within its
    session. So whoever has a session to itself tells that to the session as well; with others in it, it would speak
    for them, too, and does not.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # there is no such thing, or it may not be changed
            _AUTOGROUP.write_text(str(niceness), encoding="ascii")
