"""How people read what backups are measured in."""

from __future__ import annotations

UNITS = ("kB", "MB", "GB", "TB")
STEP = 1000


def size_words(size: int | None) -> str:
    """A size: `870 bytes`, `3.4 MB`."""
    if size is None:
        return "-"
    if size < STEP:
        return f"{size} bytes"
    amount, unit = float(size), "bytes"
    for unit in UNITS:  # noqa: B007 - the last one is used
        amount /= STEP
        if amount < STEP:
            break
    return f"{amount:,.1f} {unit}"
