"""What the supervisor says on the terminal: little, and in whole sentences."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from advancia.config import Settings

DEMO_SIGN_INS = ("amara@demo.example", "bilal@demo.example")
DEMO_STAFF = "owner@, admin@, finance@ or support@demo.example"
DEMO_CODE = ".venv/bin/flask --app wsgi demo code"
DEMO_PASSWORD = "correct horse ledger staple"  # noqa: S105 - the demo's, printed for everybody to use

QUIET_FOR = 300.0  # seconds, after the same words
MOST_REMEMBERED = 1000
BOLD, QUIET, GREEN, AMBER = "1", "2", "32", "33"


class Terminal:
    """The screen of whoever started us. It may go away at any time, which is no reason to stop."""

    def __init__(
        self, out: TextIO | None = None, *, plain: bool = False, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._said: dict[tuple[str, str], float] = {}
        self._out = out or sys.stdout
        self._styled = self._out.isatty() and not plain
        self._on_step = False

    def step(self, sentence: str) -> None:
        """Say what is going on, on a line which the next words replace."""
        if self._styled:
            self._write(f"\r\x1b[K  {self._style(QUIET, sentence)} …")
            self._on_step = True

    def say(self, sentence: str) -> None:
        self._line(f"  {sentence}")

    def worry(self, name: str, words: str) -> None:
        """Pass on what a child said, cut to one line; the same words are said once in a while only."""
        now = self._now()
        if now - self._said.get((name, words), -QUIET_FOR) < QUIET_FOR:
            return
        if len(self._said) > MOST_REMEMBERED:
            self._said.clear()
        self._said[name, words] = now
        self._line(f"  {self._style(AMBER, f'{name:<10}')}{words[:300]}")

    def refuse(self, sentence: str) -> None:
        """Say on standard error why there is no start."""
        self._end_step()
        with suppress(OSError, ValueError):
            print(sentence, file=sys.stderr, flush=True)

    def greet(self, settings: Settings) -> None:
        """Say that everything is up, where, and what a newcomer needs to know."""
        self._end_step()
        address = self._style(GREEN, settings.public_url)
        mail = "sent by SMTP" if settings.smtp_url else f"kept as files in {settings.var / 'mail'}"
        payments = "simulated, no money moves" if settings.is_sandboxed else "real: Stripe keys are set"
        rows = [
            ("Open", address),
            ("Sign in", f"{DEMO_SIGN_INS[0]} or {DEMO_SIGN_INS[1]}"),
            ("", f"password: {DEMO_PASSWORD}"),
            ("Staff", f"{DEMO_STAFF}, with the same password"),
            ("", f"code: {DEMO_CODE}"),
            ("Payments", payments),
            ("Mail", mail),
            ("Logs", str(settings.var / "log")),
            ("Stop", "Ctrl-C"),
        ]
        self._line("")
        self._line(f"  {self._style(BOLD, 'Advancia Pay Ledger')} is running")
        self._line("")
        for label, value in rows:
            self._line(f"  {self._style(QUIET, f'{label:<10}')}{value}")
        self._line("")

    def _line(self, text: str) -> None:
        self._end_step()
        self._write(f"{text}\n")

    def _end_step(self) -> None:
        if self._on_step:
            self._write("\r\x1b[K")
            self._on_step = False

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._out.write(text)
            self._out.flush()

    def _style(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._styled else text
