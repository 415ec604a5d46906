"""What the supervisor's tests share: running commands to their end, and a place with short paths."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from advancia.ops.dev.processes import kill_family, wait_until

ROOT = Path(__file__).resolve().parents[3]
STANDIN = Path(__file__).with_name("standin.py")
NOBODY = 65534


def as_ordinary_user(words: Sequence[str]) -> list[str]:
    """The command as a user who is not root, yet may read this checkout wherever it lies."""
    if os.geteuid() != 0:
        return list(words)
    setpriv = shutil.which("setpriv")
    assert setpriv, "util-linux is needed to run a test as another user"
    reader = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    return [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *reader, *words]


class Running:
    """A command in a session of its own, whose words are collected in a file."""

    def __init__(
        self, words: Sequence[str | Path], *, output: Path, environ: dict[str, str] | None = None
    ) -> None:
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (environ or {}),
            )

    @property
    def words(self) -> str:
        return self.output.read_text()

    def says(self, text: str, *, seconds: float = 20) -> None:
        wait_until(lambda: text in self.words or self.process.poll() is not None, seconds=seconds)
        assert text in self.words, f"it never said {text!r}, only:\n{self.words}"

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self, *, seconds: float = 20) -> int:
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {seconds} s, having said:\n{self.words}") from None

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        kill_family(self.process.pid)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]
