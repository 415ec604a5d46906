"""The demo can be seeded again, whatever a newcomer has tried on it meanwhile."""

from __future__ import annotations

from advancia import ledger
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.identity import queries as people
from advancia.identity.services import suspension
from advancia.ops import demo


def entries(user_id):
    return ledger.version_of(db.session(), user_id)


def test_seeding_again_changes_nothing_also_when_somebody_of_the_demo_is_suspended(app):
    with app.app_context():
        amara, bilal = demo.seed()
        amara_id, bilal_id = people.id_of(db.session(), amara), people.id_of(db.session(), bilal)
        before = entries(amara_id), entries(bilal_id)
        db.session.rollback()
        assert demo.seed() == [amara, bilal]

        staff = Actor(user_id=0, role="admin", address=None, request_id=None)
        with unit_of_work() as session:
            suspension.suspend(session, actor=staff, user_id=bilal_id, reason="Tried out")
        assert demo.seed() == [amara, bilal]
        assert (entries(amara_id), entries(bilal_id)) == before
