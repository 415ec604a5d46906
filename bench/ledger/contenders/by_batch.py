"""Posting in bulk, through the Python API."""

from __future__ import annotations

import importlib.util

from bench.crew import Crew
from bench.ledger.contenders.by_python import WORKERS, Absent
from bench.runner import Contender, counted
from bench.server import Server

LONGER = 3  # times as long a turn: in a short one, whether the last batches are in it or not decides
REFUSED = 0.05  # of the postings, where some are


def batches(
    server: Server, database: str, *, customers: int, sizes: list[int], clients: list[int], against: str
) -> list[Contender]:
    """Atomic batches of every size; of the middle one also each by itself, with and without refusals."""
    middle = sorted(sizes)[len(sizes) // 2]
    kinds = [(size, "atomic", 0.0) for size in sizes]
    kinds += [(middle, "each by itself", 0.0), (middle, f"each by itself, {REFUSED:.0%} refused", REFUSED)]
    found: list[Contender] = []
    for size, how, refused in kinds:
        for number in clients if how == "atomic" else clients[-1:]:
            name = f"post_many of {size}, {how}, {counted(number)}"
            if importlib.util.find_spec("advancia.ledger.batches") is None:
                found.append(Absent(name, "there is no post_many yet"))
                continue
            told = {
                "url": server.url(database),
                "customers": customers,
                "size": size,
                "refused": refused,
                "atomic": how == "atomic",
            }
            found.append(
                Crew(
                    name,
                    f"{WORKERS}.by_batch",
                    server=server,
                    clients=number,
                    told=told,
                    against=against,
                    times_longer=LONGER,
                )
            )
    return found
