"""A PostgreSQL for one benchmark, with what is needed to see what it spends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from flask_migrate import upgrade

from advancia.app import create_app
from advancia.config import Settings, load_settings
from advancia.core.db import db
from advancia.ops.dev.postgres import APP, OWNER, SUPERUSER, PostgresCluster
from bench.runner import Turn

TEMPLATE = "bench_template"
# The same for every contender. Checkpoints are kept rare: they would fall into somebody's turn.
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "max_connections": "400",
    "maintenance_work_mem": "256MB",
}
SMALL = {"shared_buffers": "256MB"}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    cpu_seconds: float
    wal_bytes: int


class Server:
    """PostgreSQL in a folder of its own that goes with it; migrated databases are copies of one template."""

    def __init__(self, *, durable: bool = True, small: bool = False) -> None:
        self.durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="advancia-bench-"))
        self.folder.chmod(0o755)
        self.cluster = PostgresCluster(self.folder / "postgres", durable=durable)
        self.cluster.settings = self.cluster.settings | SETTINGS | (SMALL if small else {})
        self._watch: psycopg.Connection[tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        try:
            self.cluster.start()
            self._watch = psycopg.connect(self.url("postgres", SUPERUSER), autocommit=True)
            self.cluster.create_database(TEMPLATE)
            self._migrate()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def url(self, database: str, user: str = APP) -> str:
        return self.cluster.url(user, database)

    def new_database(self, name: str, *, template: str | None = TEMPLATE) -> str:
        """Make a database: migrated like the product's own, or without a template an empty one."""
        self.cluster.create_database(name, template=template)
        return name

    def settings(self, database: str) -> Settings:
        """The settings of a product that uses that database."""
        return load_settings(
            {
                "ADVANCIA_ENV": "test",
                "ADVANCIA_VAR": str(self.folder),
                "DATABASE_URL": self.url(database),
                "DATABASE_OWNER_URL": self.url(database, OWNER),
                "REDIS_URL": "redis://127.0.0.1:9",
                "SECRET_KEY": "a key for a benchmark, which guards nothing at all",
                "LOG_LEVEL": "WARNING",
            }
        )

    def version(self) -> str:
        return str(self._asked("show server_version"))

    def describe(self) -> str:
        """The server and what differs from its defaults, for the heading of a report."""
        told = ", ".join(f"{name} {self._asked(f'show {name}')}" for name in ("fsync", *SETTINGS))
        return f"{self.version()} ({told})"

    def sql(self, statements: str, *, database: str, user: str = SUPERUSER) -> None:
        with psycopg.connect(self.url(database, user), autocommit=True) as connection:
            connection.execute(statements)

    def settle(self) -> None:
        """Write everything down now, so that it does not fall into somebody's turn."""
        self._asked("select 1 from (select pg_switch_wal()) w")
        self.cluster.sql("checkpoint")

    def spent(self) -> Spent:
        """What all of the server's processes have spent until now, the ended ones included."""
        process = self.cluster.process
        cpu = cpu_of_family(process.pid) if process is not None else 0.0
        return Spent(cpu, int(self._asked("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")))

    @contextmanager
    def costs(self) -> Iterator[list[Spent]]:
        """Give a list that holds, in the end, what was spent meanwhile."""
        found: list[Spent] = []
        before = self.spent()
        yield found
        after = self.spent()
        found.append(Spent(after.cpu_seconds - before.cpu_seconds, after.wal_bytes - before.wal_bytes))

    def _end(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _asked(self, sql: str) -> Any:
        if self._watch is None:
            raise RuntimeError("The server is not running.")
        row = self._watch.execute(sql).fetchone()
        return None if row is None else row[0]

    def _migrate(self) -> None:
        with create_app(self.settings(TEMPLATE)).app_context():
            upgrade()
            db.engine.dispose()


def with_costs(turn: Turn, spent: list[Spent]) -> Turn:
    return Turn(turn.count, turn.seconds, spent[0].cpu_seconds, spent[0].wal_bytes, turn.counted)


def cpu_of_family(pid: int) -> float:
    """Seconds of the postmaster, its children that live and those that it has buried. Zero where there is no /proc."""
    while True:
        children = _children(pid)
        ticks = _ticks(pid, buried=True) + sum(_ticks(child, buried=False) for child in children)
        if _children(pid) == children:  # else one was buried meanwhile, and would be missed or counted twice
            return ticks / TICKS


def _ticks(pid: int, *, buried: bool) -> int:
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    fields = told.rpartition(")")[2].split()  # from the third field on
    return sum(int(each) for each in fields[11 : 15 if buried else 13])


def _children(pid: int) -> list[int]:
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(each) for each in told.split()]
