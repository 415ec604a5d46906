"""The providers whose books are compared with ours."""

from __future__ import annotations

from flask import Flask

from advancia.reconciliation.found import Outside


def sides_of(app: Flask) -> list[Outside]:
    """One for each provider that is set up."""
    return []
