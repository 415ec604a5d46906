"""Background work, done now and in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from advancia.core.db import db
from advancia.core.outbox import SECRET, OutboxRow
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


def waiting_secret(app: Flask, **payload: Any) -> dict[str, Any] | None:
    """The newest secret that waits for a job with this in its payload, such as `to="amara@example.com"`."""
    with app.app_context():
        row = db.session.execute(
            select(OutboxRow.id, OutboxRow.encrypted_secret)
            .where(OutboxRow.payload.contains(payload), OutboxRow.encrypted_secret.is_not(None))
            .order_by(OutboxRow.id.desc())
            .limit(1)
        ).first()
    if row is None:
        return None
    found: dict[str, Any] = json.loads(
        app.extensions["keyring"].decrypt(row.encrypted_secret, **SECRET, row=row.id)
    )
    return found
