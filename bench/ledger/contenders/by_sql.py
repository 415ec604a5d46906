"""What is measured through pgbench: the database alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

from advancia.ops.dev.postgres import SUPERUSER, binary
from bench.pgbench import Pgbench
from bench.runner import counted
from bench.server import Server

HERE = Path(__file__).parent
SCRIPTS = HERE / "scripts"
PLAIN = (HERE / "plain.sql").read_text(encoding="utf-8")
WITH_KEYS = (HERE / "plain_with_keys.sql").read_text(encoding="utf-8")
TPCB_ACCOUNTS_EACH = 100_000


def tpcb_database(server: Server, *, scale: int) -> str:
    """The tables of TPC-B. A scale below the number of clients would make them queue for its branches."""
    name = server.new_database("bench_tpcb", template=None)
    subprocess.run(
        [
            *(binary("pgbench"), "-i", "-q", "-s", str(scale)),
            *("-h", str(server.cluster.sockets), "-U", SUPERUSER, name),
        ],
        check=True,
        capture_output=True,
    )
    return name


def plain_database(server: Server, *, customers: int, with_keys: bool = False) -> str:
    name = server.new_database("bench_min_with_keys" if with_keys else "bench_min", template=None)
    server.sql(PLAIN, database=name)
    server.sql(f"insert into account (id) select generate_series(1, {int(customers)})", database=name)
    if with_keys:
        server.sql(WITH_KEYS, database=name)
    server.sql("vacuum (analyze)", database=name)
    return name


def tpcb(server: Server, database: str, clients: int, *, warm_up: bool) -> Pgbench:
    return Pgbench(
        f"pgbench TPC-B, {counted(clients)}",
        None,
        server=server,
        database=database,
        clients=clients,
        against=f"min, {counted(clients)}",
        user=SUPERUSER,
        warm_up=warm_up,
    )


def plain(server: Server, database: str, clients: int, *, customers: int, warm_up: bool) -> list[Pgbench]:
    """Two updates and three inserts: `min` a round trip each, `min1` all in one."""
    return [
        Pgbench(
            f"{name}, {counted(clients)}",
            SCRIPTS / f"{name}.sql",
            server=server,
            database=database,
            clients=clients,
            against=None if name == "min" else f"min, {counted(clients)}",
            variables={"customers": customers},
            user=SUPERUSER,
            warm_up=warm_up,
        )
        for name in ("min", "min1")
    ]


def plain_with_keys(server: Server, database: str, clients: int, *, customers: int, warm_up: bool) -> Pgbench:
    """The statements of `min`, on tables with our index and foreign keys."""
    return Pgbench(
        f"min with our keys, {counted(clients)}",
        SCRIPTS / "min.sql",
        server=server,
        database=database,
        clients=clients,
        against=f"min, {counted(clients)}",
        variables={"customers": customers},
        user=SUPERUSER,
        warm_up=warm_up,
    )


def ours(
    server: Server, database: str, clients: int, *, customers: int, warm_up: bool, with_fee: bool
) -> list[Pgbench]:
    """`ledger.post`: between two customers, between a customer and one house account, and if wanted with a fee."""
    return [
        Pgbench(
            f"ledger.post, {name}, {counted(clients)}",
            SCRIPTS / f"{script}.sql",
            server=server,
            database=database,
            clients=clients,
            against=f"min, {counted(clients)}",
            variables={"customers": customers},
            warm_up=warm_up,
        )
        for name, script in (
            ("uniform", "uniform"),
            ("hot", "hot"),
            *([("3 legs", "three")] if with_fee else []),
        )
    ]
