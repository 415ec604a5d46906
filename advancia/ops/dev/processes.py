"""Starting a process in a session of its own, knowing it again later, and ending all of its session."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

SERVER_PID_FILE = "server.pid"  # in the folder of each embedded server
LEASH = Path(__file__).with_name("leash.py")
ON_LINUX = sys.platform == "linux"


def launch(
    command: Sequence[str | Path],
    *,
    output: int | IO[bytes],
    environ: Mapping[str, str],
    cwd: Path,
    user: int | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in its own session; on Linux it gets `death_signal` should we die without stopping it.

    With `user` (a numeric id; only root may) it runs as that user, and without the death signal, which
    the kernel forgets on a change of user.
    """
    words = [os.fspath(word) for word in command]
    # The kernel watches the thread that started the child, so only one that lasts may hold the leash.
    if ON_LINUX and user is None and threading.current_thread() is threading.main_thread():
        words = [sys.executable, "-I", "-S", str(LEASH), str(int(death_signal)), str(os.getpid()), *words]
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environ),
        cwd=cwd,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.01) -> bool:
    """Whether `condition` came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def birth_of(pid: int) -> str | None:
    """A text that tells the process from all others of the same id; None when there is no such process."""
    if ON_LINUX:
        stat = _stat(pid)
        if stat is None or stat[0] in "ZX":
            return None
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {stat[19]}"
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = shown.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def family_of(leader: int) -> list[int]:
    """The living processes of the session that `leader` leads or led (not on Linux: of its group)."""
    if ON_LINUX:
        return [pid for pid, stat in _all_stats() if int(stat[3]) == leader and stat[0] not in "ZX"]
    shown = subprocess.run(
        ["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=False
    )
    rows = (line.split() for line in shown.stdout.splitlines())
    return [int(pid) for pid, group, state in rows if int(group) == leader and not state.startswith("Z")]


def children_of(parent: int) -> list[int]:
    """The living direct children of `parent`."""
    if ON_LINUX:
        return [pid for pid, stat in _all_stats() if int(stat[1]) == parent and stat[0] not in "ZX"]
    shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
    return [int(pid) for pid, of in (line.split() for line in shown.stdout.splitlines()) if int(of) == parent]


def kill_family(leader: int, *, seconds: float = 5) -> None:
    """End every process of `leader`'s session at once, those included that are born meanwhile."""

    def all_gone() -> bool:
        members = family_of(leader)
        for pid in members:
            send(pid, signal.SIGKILL)
        return not members

    wait_until(all_gone, seconds=seconds)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third (state) on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _all_stats() -> Iterator[tuple[int, list[str]]]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - a path for each would cost as much as the rest
        if name.isdigit() and (stat := _stat(int(name))) is not None:
            yield int(name), stat


class PidFile:
    """Remembers a process beyond our own death, by id and birth, so that it is never mistaken for another."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remember(self, pid: int) -> None:
        """Write down the process `pid`, which must be alive or our unreaped child."""
        self.path.write_text(json.dumps({"pid": pid, "birth": birth_of(pid)}))

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def leader(self) -> int | None:
        """The id under which the process was remembered, whether or not it lives."""
        try:
            return int(json.loads(self.path.read_text())["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_alive(self) -> bool:
        """Whether the remembered process, and not another of the same id, is alive."""
        try:
            remembered = json.loads(self.path.read_text())
            return remembered["birth"] is not None and birth_of(remembered["pid"]) == remembered["birth"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
