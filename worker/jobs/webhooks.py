"""Working off the inbox."""

from __future__ import annotations

from flask import current_app

from advancia.core.db import db
from advancia.core.jobs import Job
from advancia.payments import services as payments
from advancia.payments.errors import WrongCheckout
from advancia.providers.stripe import CardGateway
from advancia.webhooks import queries, services
from worker.tasks import Task, job

CHECKOUT = "checkout.session."


@job(Job.APPLY_WEBHOOK)
def apply_webhook(task: Task, event_id: int) -> None:
    """Ask the provider how the event's checkout stands now, and bring our deposit to that.

    Repeatable: what counts is the provider's present state, so neither order nor number of events matters. An event
    about a checkout that is not ours is parked for staff; trouble in reaching the provider is left to raise,
    so that it is tried again.
    """
    event = queries.event(db.session(), event_id)
    db.session.rollback()  # no transaction is open while the provider is asked
    if not event.kind.startswith(CHECKOUT) or event.object_id is None:
        with task.finish() as session:
            services.settle(session, event_id, state="ignored", outcome="We do not act on this kind.")
        return
    gateway: CardGateway = current_app.extensions["gateway"]
    checkout = gateway.retrieve_checkout(event.object_id)
    try:
        with task.finish() as session:
            outcome = payments.settle(session, checkout=checkout)
            services.settle(session, event_id, state="applied", outcome=f"The deposit {outcome}.")
    except WrongCheckout as trouble:
        with task.finish() as session:
            services.settle(session, event_id, state="parked", outcome=str(trouble))
