"""What tests of money that comes in and goes back share."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.payments.models import StrayPayment
from advancia.webhooks import queries as inbox
from advancia.webhooks import services as webhooks
from tests.support.payments import pass_on
from tests.support.people import new_staff


@pytest.fixture
def finance(app):
    return Actor(new_staff(app, "finance").id, "finance", "10.0.0.1", None)


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def hear(page, sandbox, work_through):
    """Bring every event that the provider has made, however often it came before, and work it off."""

    def all_of_them():
        for event in sandbox.deliveries():
            assert pass_on(page, event).status == 200
        work_through()

    return all_of_them


@pytest.fixture
def replay(app, work_through):
    """Apply every event of the inbox about the simulation anew, as staff may."""

    def all_of_them():
        with app.app_context(), unit_of_work() as session:
            for row in inbox.inbox(session, size=20):
                webhooks.replay(session, event_id=row.id)
        work_through()

    return all_of_them


@pytest.fixture
def chase(app, work):
    """Ask about what has not ended for a while."""

    def now():
        with app.app_context(), unit_of_work() as session:
            session.execute(text("UPDATE refund SET created_at = created_at - interval '1 hour'"))
            outbox.put(session, Job.CHASE_PAYMENTS)
        work()

    return now


@pytest.fixture
def suspend(app):
    """Suspend somebody, or with `False` reinstate them."""

    def change(customer, *, is_suspended=True):
        since = "now()" if is_suspended else "NULL"
        with app.app_context(), unit_of_work() as session:
            session.execute(
                text(f"UPDATE users SET suspended_at = {since} WHERE id = :id"), {"id": customer.id}
            )

    return change


@pytest.fixture
def stray_of(app):
    """The payment in suspense of that name at its provider, as it is now."""

    def find(payment_id):
        with app.app_context():
            return db.session.scalars(
                select(StrayPayment).where(StrayPayment.payment_id == payment_id)
            ).one_or_none()

    return find
