"""Background work, done now and in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import func, select

from advancia.core.db import db
from advancia.core.outbox import OutboxRow
from worker import tasks


def work_off(app: Flask) -> int:
    """Run every job that is due, as the worker would, until none is left; return how many runs it took."""
    runs = 0
    with app.app_context():
        while due := db.session.scalars(
            select(OutboxRow.id)
            .where(
                OutboxRow.done_at.is_(None),
                OutboxRow.parked_at.is_(None),
                OutboxRow.available_at <= func.now(),
            )
            .order_by(OutboxRow.id)
        ).all():
            db.session.rollback()
            for outbox_id in due:
                tasks.perform(outbox_id)
                runs += 1
    return runs


@pytest.fixture
def work(app: Flask) -> Callable[[], int]:
    """Do all background work that is due."""
    return lambda: work_off(app)
