"""Keeps the product running: starts its parts in order, starts again what dies, and ends all of it cleanly.

One thread does everything: it waits for words of the children, for signals, and for time to pass.
"""

from __future__ import annotations

import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from advancia.ops.dev.announce import Terminal
from advancia.ops.dev.backoff import Backoff
from advancia.ops.dev.child import Child
from advancia.ops.dev.errors import StartError
from advancia.ops.dev.logs import last_lines

LONGEST_START = 60.0  # seconds, for each stage
MOST_EARLY_DEATHS = 3  # of a child that has never lived for long
LONGEST_STOP = 30.0  # seconds for requests and jobs to end in


class Server(Protocol):
    """An embedded server."""

    @property
    def is_running(self) -> bool: ...
    @property
    def is_ready(self) -> bool: ...
    def launch(self) -> None: ...
    def failure(self) -> StartError: ...
    def stop(self) -> None: ...
    def kill_now(self) -> None: ...


class StopAskedError(Exception):
    """Somebody asked us to stop."""


def _nothing() -> None:
    """Where a stage has nothing to do."""


@dataclass
class Parts:
    """What to run: servers, then the preparation, then what people wait for, then the background.

    `is_prepared` tells that the preparation has next to nothing to do, and may come after the pages.
    When all stops, the first of `foreground` goes first, and the servers last.
    """

    servers: dict[str, Server]
    foreground: Sequence[Child]
    background: Sequence[Child]
    is_healthy: Callable[[], bool]
    preparation: Child | None = None
    is_prepared: Callable[[], bool] = lambda: False
    when_servers_are_up: Callable[[], None] = _nothing
    when_all_is_up: Callable[[], None] = _nothing
    backoffs: dict[str, Backoff] = field(init=False)

    def __post_init__(self) -> None:
        self.backoffs = {name: Backoff() for name in self.servers}

    @property
    def children(self) -> list[Child]:
        """All children; the first is the one that stops first."""
        return [*self.foreground, *self.background, *([self.preparation] if self.preparation else [])]


class Supervisor:
    """Runs the parts until a signal asks it to stop."""

    def __init__(self, parts: Parts, terminal: Terminal, *, longest_stop: float = LONGEST_STOP) -> None:
        self._parts = parts
        self._terminal = terminal
        self._longest_stop = longest_stop
        self._selector = selectors.DefaultSelector()
        self._signals = 0
        self._tended: list[Child] = []

    def run(self) -> int:
        """Start, watch, and stop everything; return the exit code. Errors are told, not raised."""
        self._listen_for_signals()
        code = 0
        try:
            self._start()
            self._parts.when_all_is_up()
            self._watch()
        except StopAskedError:
            self._terminal.say("Stopping.")
        except StartError as failure:
            self._terminal.refuse(str(failure))
            code = 1
        finally:
            self._stop()
        return code

    # Starting

    def _start(self) -> None:
        self._start_servers()
        is_prepared = self._parts.is_prepared()
        if not is_prepared:
            self._prepare()
        self._terminal.step("Starting the pages")
        self._keep(self._parts.foreground)
        self._wait(self._parts.is_healthy, "The web process", tend=True)
        if is_prepared and self._parts.preparation is not None:
            self._start_child(self._parts.preparation)
        self._keep(self._parts.background)

    def _keep(self, children: Sequence[Child]) -> None:
        """Start children, and from now on again whenever they die."""
        for child in children:
            self._start_child(child)
        self._tended += children

    def _start_servers(self) -> None:
        self._terminal.step("Starting the database and the cache")
        for server in self._parts.servers.values():
            server.launch()
        for name, server in self._parts.servers.items():
            self._wait(lambda server=server: server.is_ready or not server.is_running, f"The {name}")  # type: ignore[misc]
            if not server.is_running:
                raise server.failure()
        self._parts.when_servers_are_up()

    def _prepare(self) -> None:
        if self._parts.preparation is None:
            return
        self._terminal.step("Preparing the database")
        self._start_child(self._parts.preparation)
        while self._parts.preparation.is_running:
            self._turn()
        self._end_preparation(self._parts.preparation)

    def _end_preparation(self, preparation: Child) -> None:
        self._forget(preparation)
        if preparation.bury() != 0:
            raise StartError(
                f"The database could not be prepared: {_last_words(preparation)} "
                f"(more in {preparation.log.path})."
            )

    def _start_child(self, child: Child) -> None:
        descriptor = child.start()
        self._selector.register(descriptor, selectors.EVENT_READ, child)

    def _wait(self, condition: Callable[[], bool], what: str, *, tend: bool = False) -> None:
        deadline = time.monotonic() + LONGEST_START
        while not condition():
            self._turn(0.02)
            if tend:
                self._tend_children()
            if time.monotonic() > deadline:
                raise StartError(
                    f"{what} did not come up within {LONGEST_START:.0f} seconds: its log says more."
                )

    # Watching

    def _watch(self) -> None:
        while True:
            self._turn()
            self._tend_servers()
            self._tend_children()

    def _turn(self, seconds: float = 0.2) -> None:
        """Wait a moment; take what the children say. Raises `StopAskedError` after a signal."""
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, Child):
                if not key.data.listen():
                    self._selector.unregister(key.fileobj)
            else:
                with suppress(BlockingIOError):
                    key.data.recv(64)
        if self._signals == 1:
            self._signals = 2
            raise StopAskedError

    def _tend_children(self) -> None:
        if self._parts.preparation is not None and self._parts.preparation.is_dead:
            with suppress(StartError):  # the pages are up, and its log has told the worry already
                self._end_preparation(self._parts.preparation)
        for child in self._tended:
            if child.is_dead:
                self._note_death(child)
            elif child.process is None and child.backoff.is_due:
                self._start_child(child)

    def _note_death(self, child: Child) -> None:
        self._forget(child)
        code = child.bury()
        pause = child.backoff.died()
        if not child.backoff.has_settled and child.backoff.early_deaths >= MOST_EARLY_DEATHS:
            raise StartError(
                f"{child.name} ended {MOST_EARLY_DEATHS} times as it started: {_last_words(child)} "
                f"(more in {child.log.path})."
            )
        self._terminal.worry(child.name, f"ended ({_how(code)}); it is started again {_when(pause)}.")

    def _forget(self, child: Child) -> None:
        if child.process is not None and child.process.stdout is not None:
            with suppress(KeyError):
                self._selector.unregister(child.process.stdout.fileno())

    def _tend_servers(self) -> None:
        for name, server in self._parts.servers.items():
            backoff = self._parts.backoffs[name]
            if server.is_running or not backoff.is_due:
                continue
            backoff.died()
            reason = f" {server.failure()}" if backoff.early_deaths > 1 else ""
            self._terminal.worry(name, f"ended; it is started again.{reason}")
            backoff.started()
            try:
                server.launch()
            except StartError as failure:
                self._terminal.worry(name, str(failure))

    # Stopping

    def _listen_for_signals(self) -> None:
        here, there = socket.socketpair()
        for end in (here, there):
            end.setblocking(False)
        self._selector.register(here, selectors.EVENT_READ, here)
        signal.set_wakeup_fd(there.fileno())
        self._wakeup = there
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """The first asks to stop; any later one ends all at once, whatever we are waiting for."""
        self._signals += 1
        if self._signals > 1:
            for child in self._parts.children:
                child.kill_now()
            for server in self._parts.servers.values():
                server.kill_now()

    def _stop(self) -> None:
        self._signals = max(self._signals, 2) if self._signals else 1
        deadline = time.monotonic() + self._longest_stop
        first, *others = self._parts.children
        self._end([first], deadline)
        self._end(others, deadline)
        for server in reversed(self._parts.servers.values()):
            server.stop()

    def _end(self, children: Sequence[Child], deadline: float) -> None:
        for child in children:
            child.ask_to_stop()
        while any(child.is_running for child in children) and time.monotonic() < deadline:
            with suppress(StopAskedError):
                self._turn(0.05)
        for child in children:
            self._forget(child)
            child.bury()
            child.log.close()


def _last_words(child: Child) -> str:
    lines = [line for line in last_lines(child.log.path).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "it gave no reason"


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _when(pause: float) -> str:
    return f"in {pause:.1f} s" if pause else "now"
