"""What is kept from spreading out of the tests that press every button."""

from __future__ import annotations

import pytest

from advancia.core.db import db
from advancia.ops import lockdown


@pytest.fixture(autouse=True)
def money_moves_afterwards(app):
    """Whoever sends every form as an owner also pauses all money, which must not outlast the test."""
    yield
    with app.app_context():
        found = lockdown.state(db.session())
        db.session.rollback()
        if found.lockdown is not None or found.is_frozen:
            lockdown.lift(reason="The test is over")
