"""The children's logs: kept in files of bounded size; what is worrying is shown on the terminal too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

LARGEST = 10 * 2**20  # bytes, before a log is put aside and begun anew
WORRYING_LEVELS = {"warning", "error", "critical"}
WORRYING_WORDS = re.compile(r"\b(WARNING|ERROR|CRITICAL|FATAL)\b|^\[(WARN|ERROR)")
TRACEBACK = "Traceback (most recent call last)"


def open_log(path: Path) -> IO[bytes]:
    """Open a log to append to; a large one is put aside first, as `<name>.1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > LARGEST:
            path.replace(path.with_name(path.name + ".1"))
    return path.open("ab", buffering=0)


def last_lines(path: Path, count: int = 40) -> str:
    """The end of a log, or nothing when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return ""


class ChildLog:
    """Takes a child's output as it comes: writes all of it to `path`, and tells `show` what is worrying."""

    def __init__(self, path: Path, show: Callable[[str], None]) -> None:
        self.path = path
        self._show = show
        self._file = open_log(path)
        self._rest = b""
        self._in_traceback = False

    def take(self, chunk: bytes) -> None:
        self._write(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._look_at(line.decode(errors="replace").rstrip())

    def close(self) -> None:
        if self._rest:
            self.take(b"\n")
        self._file.close()

    def _write(self, chunk: bytes) -> None:
        if self._file.tell() > LARGEST:
            self._file.close()
            self._file = open_log(self.path)
        with suppress(OSError):  # a full disk must not take the product down with it
            self._file.write(chunk)

    def _look_at(self, line: str) -> None:
        if self._in_traceback:
            # Its last line, the first that is not indented, names the error.
            if line and not line[0].isspace():
                self._in_traceback = False
                self._show(line)
        elif line.startswith(TRACEBACK):
            self._in_traceback = True
        elif worry := worry_in(line):
            self._show(worry)


def worry_in(line: str) -> str | None:
    """What a person should see of a log line: the event of a warning or worse, and nothing of the rest."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line if WORRYING_WORDS.search(line) else None
    if not isinstance(entry, dict) or entry.get("level") not in WORRYING_LEVELS:
        return None
    cause = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    return " · ".join(filter(None, [str(entry.get("event", line)), cause]))
