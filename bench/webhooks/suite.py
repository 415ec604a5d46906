"""The whole run: quiet turns, the storm, quiet turns again; and the proof that nothing was lost or doubled."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine
from bench.crew import Crew
from bench.ledger import books
from bench.runner import counted
from bench.server import Server, cpu_of_family
from bench.webhooks import prepare, verdict
from bench.webhooks.figures import Figures
from bench.webhooks.orders import Client
from bench.webhooks.product import Product
from bench.webhooks.report import Report
from bench.webhooks.scale import Scale

MANY = 16  # clients that post at once
READ_TURN = 1.0
OK = 200


class Suite:
    """One storm against one product on one server."""

    def __init__(self, server: Server, scale: Scale, *, say: Callable[[str], None]) -> None:
        self.server = server
        self.scale = scale
        self.say = say
        self.figures = Figures(events=scale.events)
        self.sent = 0

    def run(self) -> Report:
        facts = machine.facts() | {"PostgreSQL": self.server.describe()}
        with ExitStack() as stack:
            self.product = stack.enter_context(
                Product(self.server, "bench_webhooks", workers=self.scale.workers)
            )
            self._prepare()
            self.sender = stack.enter_context(Client("bench.webhooks.sender", self._told_sender()))
            self.reader = stack.enter_context(Client("bench.webhooks.reader", self._told_reader()))
            self.posting = [self._crew(stack, clients) for clients in (1, MANY)]
            self._quiet_turns()
            self._storm()
            self._quiet_turns()
            proven = verdict.proven(self.url, self.deposit_ids)
        return Report(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", facts | self._facts(), self.figures, proven)

    @property
    def url(self) -> str:
        return self.product.environ["DATABASE_URL"]

    def _prepare(self) -> None:
        scale, product = self.scale, self.product
        self.say(f"preparing {scale.all_events:,} deposits")
        self.file: Path = product.folder / "events.jsonl"
        self.user_ids = prepare.customers(product.app, scale.customers)
        self.deposit_ids = prepare.events(product.app, self.user_ids, scale.all_events, self.file)
        books.new_books(self.server, "bench_books", customers=scale.ledger_customers)
        self.server.sql("vacuum analyze", database="bench_webhooks")
        product.start()
        self.server.settle()

    def _crew(self, stack: ExitStack, clients: int) -> Crew:
        crew = Crew(
            f"Python API, {counted(clients)}",
            "bench.ledger.workers.by_api",
            server=self.server,
            clients=clients,
            told={"url": self.server.url("bench_books"), "customers": self.scale.ledger_customers},
        )
        stack.callback(crew.close)
        return crew

    def _told_sender(self) -> dict[str, object]:
        return {"url": self.product.url, "secret": self.product.secret, "file": str(self.file)}

    def _told_reader(self) -> dict[str, object]:
        cookies = prepare.cookies(self.product.app, self.user_ids)
        return {"url": self.product.url, "cookies": cookies, "reads": self.scale.reads}

    def _quiet_turns(self) -> None:
        scale, figures = self.scale, self.figures
        for number in range(scale.quiet_turns):
            figures.idle_pages.append(self.reader.ask(seconds=scale.quiet_seconds)["latencies"])
            told = self._send(scale.quiet_events, connections=1, seconds=scale.quiet_seconds)
            figures.idle_answers += told
            self._clear()
            for crew, rates in zip(self.posting, (figures.posting_rates, figures.crowded_rates), strict=True):
                rates.append(crew.turn(scale.posting_seconds).rate)
            self.say(f"quiet turn {number + 1} of {scale.quiet_turns}")

    def _send(self, count: int, *, connections: int, seconds: float | None = None) -> list[float]:
        """Send the next events, and give how long their answers took."""
        self._order(count, connections=connections, seconds=seconds)
        return self._answered(self.sender.answer())

    def _order(self, count: int, *, connections: int, seconds: float | None = None) -> None:
        self.sender.order(first=self.sent, count=count, connections=connections, seconds=seconds)
        self.sent += count

    @staticmethod
    def _answered(told: dict[str, Any]) -> list[float]:
        if refused := [each for each in told["statuses"] if each != OK]:
            raise RuntimeError(f"{len(refused)} events were refused, the first by {refused[0]}.")
        latencies: list[float] = told["latencies"]
        return latencies

    def _storm(self) -> None:
        """Send as fast as answers come, and read pages until the last credit."""
        scale, figures = self.scale, self.figures
        storm = self.deposit_ids[self.sent : self.sent + scale.events]
        self.say(f"a storm of {scale.events:,} events")
        spent = self._spent()
        self._order(scale.events, connections=scale.connections)
        deadline = time.monotonic() + scale.longest_wait
        while (credited := verdict.credits_of(self.url, storm)).count < len(storm):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Only {credited.count} of {len(storm)} events were applied in time.")
            figures.pages += self.reader.ask(seconds=READ_TURN)["latencies"]
        figures.costs = {name: cpu - spent[name] for name, cpu in self._spent().items()}
        told = self.sender.answer()
        figures.answers = self._answered(told)
        figures.sending = told["ended"] - told["begun"]
        figures.applying = (credited.last or 0.0) - told["begun"]
        self.say(f"applied in {figures.applying:.1f} s")
        self._clear()
        figures.clearing = time.time() - told["begun"]

    def _spent(self) -> dict[str, float]:
        """The processors' seconds until now, by process."""
        pids = {name: process.pid for name, process in self.product.processes.items()}
        pids |= {"sender": self.sender.process.pid, "reader": self.reader.process.pid}
        for name, server in (("postgres", self.server.cluster), ("valkey", self.product.valkey)):
            if server.process is not None:
                pids[name] = server.process.pid
        return {name: cpu_of_family(pid) for name, pid in pids.items()}

    def _clear(self) -> None:
        """Wait until all work is done, so that it does not fall into the next turn."""
        deadline = time.monotonic() + self.scale.longest_wait
        while left := verdict.open_jobs(self.url):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{left} jobs were not done in time.")
            time.sleep(0.1)

    def _facts(self) -> dict[str, str]:
        scale, settings = self.scale, self.product.settings
        web = f"{settings.web_workers} web of {settings.web_threads} threads"
        return {
            "storm": f"{scale.events:,} events over {scale.connections} connections, {scale.customers:,} customers",
            "pages": f"{scale.reads} a second",
            "processes": f"{web}, 1 relay, {scale.workers} workers, 1 sandbox",
        }
