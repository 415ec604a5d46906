"""One of the product's own processes under the supervisor: started, listened to, started again, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from advancia.ops.dev.backoff import Backoff
from advancia.ops.dev.logs import ChildLog
from advancia.ops.dev.processes import PidFile, family_of, kill_family, launch, send


@dataclass(frozen=True)
class Program:
    """What to run, and under which name it is spoken of."""

    name: str
    command: tuple[str, ...]


class Child:
    """A program kept running, whose words go to its log."""

    def __init__(
        self,
        program: Program,
        *,
        environ: Mapping[str, str],
        cwd: Path,
        var: Path,
        show: Callable[[str], None],
    ) -> None:
        self.name = program.name
        self.backoff = Backoff()
        self._command = program.command
        self._environ = environ
        self._cwd = cwd
        self._pid_file = PidFile(var / "run" / f"{program.name}.pid")
        self.log = ChildLog(var / "log" / f"{program.name}.log", show)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it; return the descriptor to read its words from."""
        self.process = launch(self._command, output=subprocess.PIPE, environ=self._environ, cwd=self._cwd)
        self._pid_file.remember(self.process.pid)
        self.backoff.started()
        assert self.process.stdout is not None  # noqa: S101 - asked for just above
        descriptor = self.process.stdout.fileno()
        os.set_blocking(descriptor, False)
        return descriptor

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def is_dead(self) -> bool:
        """Whether it was started and has ended, and has not been buried yet."""
        return self.process is not None and self.process.poll() is not None

    def listen(self) -> bool:
        """Take what it has said so far; False when it will say nothing more."""
        if self.process is None or self.process.stdout is None:
            return False
        try:
            while chunk := os.read(self.process.stdout.fileno(), 65_536):
                self.log.take(chunk)
        except BlockingIOError:
            return True
        return False

    def ask_to_stop(self) -> None:
        """Ask the leader alone: it knows how its own children are to end."""
        if self.process is not None:
            send(self.process.pid, signal.SIGTERM)

    def kill_now(self) -> None:
        """Send the last signal to all of its session, and wait for nothing."""
        if self.process is not None:
            for pid in family_of(self.process.pid):
                send(pid, signal.SIGKILL)

    def bury(self) -> int | None:
        """End what is left of its session, hear its last words; return its exit code (None: it never ran)."""
        if self.process is None:
            return None
        kill_family(self.process.pid)
        code = self.process.wait()
        self.listen()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._pid_file.forget()
        self.process = None
        return code
