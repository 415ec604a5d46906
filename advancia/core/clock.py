"""The one source of time, always in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utcnow() -> datetime:
    """This moment, with its zone."""
    return datetime.now(UTC)
