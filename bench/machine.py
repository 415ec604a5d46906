"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def facts() -> dict[str, str]:
    """The machine, the load on it before we began, and the commit."""
    return {
        "processors": f"{os.cpu_count()} of {_model()}",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load before": " ".join(f"{each:.2f}" for each in os.getloadavg()),
        "commit": commit(),
    }


def commit() -> str:
    """The commit of the code that was measured; `+` when files differ from it."""
    named = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "advancia", "bench", "migrations")
    return f"{named or 'unknown'}{'+' if changed else ''}"


def _git(*arguments: str) -> str:
    try:
        ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ran.stdout.strip()


def _model() -> str:
    if found := re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo")):
        return found.group(1).strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    if found := re.search(r"MemTotal:\s*([0-9]+) kB", _read("/proc/meminfo")):
        return f"{int(found.group(1)) / 1024**2:.1f} GiB"
    return "unknown"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
