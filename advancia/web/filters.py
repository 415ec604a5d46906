"""How pages write times and find their static files."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask

from advancia.core.clock import utcnow

HASH_LENGTH = 12


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(human_time=human_time, exact_time=exact_time, iso=datetime.isoformat)
    fingerprints: dict[str, str] = {}

    def add_fingerprint(endpoint: str, values: dict[str, Any]) -> None:
        """A static file's address changes with its content, so that browsers may keep it for a year."""
        if endpoint != "static" or "v" in values or not (name := values.get("filename")):
            return
        if app.debug or name not in fingerprints:
            fingerprints[name] = _fingerprint(Path(app.static_folder or "") / name)
        values["v"] = fingerprints[name]

    app.url_default_functions.setdefault(None, []).append(add_fingerprint)


def human_time(moment: datetime, now: datetime | None = None) -> str:
    """As people write it: `Today 10:31`, `Yesterday 09:12`, `21 Nov 14:00`, `21 Nov 2025` (in UTC)."""
    now = now or utcnow()
    days = (now.date() - moment.date()).days
    clock = moment.strftime("%H:%M")
    if days == 0:
        return f"Today {clock}"
    if days == 1:
        return f"Yesterday {clock}"
    day = f"{moment.day} {moment:%b}"
    return f"{day} {clock}" if moment.year == now.year else f"{day} {moment.year}"


def exact_time(moment: datetime) -> str:
    """To the second, for receipts and tooltips: `24 November 2026, 10:31:05 UTC`."""
    return f"{moment.day} {moment:%B %Y, %H:%M:%S} UTC"


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:HASH_LENGTH]
    except OSError:
        return "missing"
