"""The command `python -m bench`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.ledger.scale import FULL, SHORT
from bench.ledger.suite import Suite
from bench.machine import ROOT
from bench.server import Server
from bench.webhooks import scale as storms
from bench.webhooks.suite import Suite as Storm

DOCUMENT = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    asked = _arguments()
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # also where the shell has us ignore one: the server must go
        signal.signal(number, _stop)
    begun = time.monotonic()

    def say(words: str) -> None:
        print(f"[{time.monotonic() - begun:5.0f} s] {words}", file=sys.stderr, flush=True)

    with Server(durable=not asked.not_durable, small=asked.short) as server:
        report = _suite(asked, server, say).run()
    print(report.as_text())
    if asked.json is not None:
        asked.json.write_text(
            json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    if asked.write_docs:
        report.write_into(DOCUMENT)
    return 0


def _suite(asked: argparse.Namespace, server: Server, say: Callable[[str], None]) -> Suite | Storm:
    if asked.suite == "webhooks":
        return Storm(
            server, (storms.SHORT if asked.short else storms.FULL).with_events(asked.events), say=say
        )
    scale = (SHORT if asked.short else FULL).in_rounds(asked.rounds)
    return Suite(server, scale, peers=asked.peers, say=say)


def _stop(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    suites = parser.add_subparsers(required=True, metavar="SUITE", dest="suite")
    ledger = _suite_parser(suites, "ledger", "the ledger against its peers")
    ledger.add_argument("--rounds", type=_whole, metavar="N", help="how often each contender takes its turn")
    ledger.add_argument(
        "--peers",
        type=Path,
        default=ROOT / "var" / "bench-peers",
        metavar="FOLDER",
        help="the virtual environment of the peers, made if it is missing",
    )
    webhooks = _suite_parser(suites, "webhooks", "a storm of webhooks against the whole product")
    webhooks.add_argument("--events", type=_whole, metavar="N", help="how many events the storm has")
    return parser.parse_args()


def _suite_parser(suites: Any, name: str, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = suites.add_parser(name, help=about)
    parser.add_argument("--short", action="store_true", help="prove that it runs, in less than a minute")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures, those of each turn included"
    )
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--not-durable", action="store_true", help="do not wait for the disk (fsync off)")
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
