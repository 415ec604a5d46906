"""Where an alarm leads: the page on which its trouble is mended."""

from __future__ import annotations

from flask import url_for

from advancia.core.alarms import OpenAlarm
from advancia.core.recurring import TABLE

# By what the names of alarms begin with.
PLACES = {
    "ledger.": "admin.health.index",
    "work.": "admin.work.index",
    "backup.": "admin.backups.index",
    "reconciliation.": "admin.reconciliation.index",
}


def place_of(alarm: OpenAlarm) -> str | None:
    """The address of that page; nothing where there is none."""
    if alarm.what.startswith("clock.") and alarm.about in {line.job.value for line in TABLE}:
        return url_for("admin.clock.show", job=alarm.about)
    if alarm.what == "work.parked":
        return url_for("admin.work.index", state="parked")
    endpoint = next((page for begin, page in PLACES.items() if alarm.what.startswith(begin)), None)
    return url_for(endpoint) if endpoint else None
