"""How far a run has come: one entry a part, from which a run that was broken off goes on, and which the page shows.

The run's own part is `INSIDE`; a provider's is called as `of_provider` says. What a part writes of itself is its own,
but for three words that the page reads from each: `words`, `done`, and `of` if it is known.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select, text

from advancia.core.db import Session
from advancia.reconciliation.models import ReconciliationRun

INSIDE = "inside"

# Parts are merged by the database, so that none overwrites another's.
_NOTE = text("""
    update reconciliation_run
    set progress = progress || jsonb_build_object(cast(:part as text), cast(:told as jsonb))
    where id = :run_id and state = 'running'
""")


def of_provider(provider: str) -> str:
    """The name of the part that compares that provider's books."""
    return f"outside.{provider}"


def note(session: Session, run_id: int, *, part: str, told: dict[str, Any]) -> None:
    """Write down how far the part is; whoever calls it commits, together with what the part has done."""
    session.execute(_NOTE, {"run_id": run_id, "part": part, "told": json.dumps(told)})


def noted(session: Session, run_id: int, *, part: str) -> dict[str, Any]:
    """What the part wrote last; empty if it has not begun."""
    found = session.scalar(select(ReconciliationRun.progress[part]).where(ReconciliationRun.id == run_id))
    return dict(found or {})
