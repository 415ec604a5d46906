"""Runs a command that ends when the process that started it ends (Linux).

Usage: `python -I -S leash.py SIGNAL PARENT COMMAND…`. It replaces itself with the command, having asked
the kernel to send SIGNAL to it at the parent's death. A file of its own, so that it needs no
import of ours and starts in a few milliseconds.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(signal_number: int, parent: int, command: list[str]) -> None:
    """Tie this process to `parent`, then become `command`."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:  # it died before we could ask
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
