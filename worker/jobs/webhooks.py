"""Working off the inbox."""

from __future__ import annotations

from flask import current_app

from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.payments import services as payments
from advancia.payments.errors import WrongCheckout
from advancia.providers.stripe import CardGateway, Checkout, ProviderError
from advancia.webhooks import queries, services
from worker.tasks import Task, job

CHECKOUT = "checkout.session."
PAYMENT = "payment_intent."


@job(Job.APPLY_WEBHOOK)
def apply_webhook(task: Task, event_id: int) -> None:
    """Ask the provider how the event's checkout stands now, and bring our deposit to that.

    Repeatable: what counts is the provider's present state, so neither order nor number of events matters. An event
    about a checkout that is not ours is parked for staff; trouble in reaching the provider is left to raise,
    so that it is tried again, and only after the last try the event is parked as well.
    """
    event = queries.event(db.session(), event_id)
    db.session.rollback()  # no transaction is open while the provider is asked
    try:
        checkout = _checkout_meant_by(event)
    except ProviderError as trouble:
        if task.is_last_try:
            with unit_of_work() as session:
                services.settle(session, event_id, state="parked", outcome=f"{trouble} {trouble.detail}")
        raise
    if checkout is None:
        with task.finish() as session:
            services.settle(session, event_id, state="ignored", outcome="It is about nothing that we act on.")
        return
    try:
        with task.finish() as session:
            outcome = payments.settle(session, checkout=checkout)
            services.settle(session, event_id, state="applied", outcome=f"The deposit {outcome}.")
    except WrongCheckout as trouble:
        with task.finish() as session:
            services.settle(session, event_id, state="parked", outcome=str(trouble))


def _checkout_meant_by(event: queries.StoredEvent) -> Checkout | None:
    """The checkout as the provider has it now; `None` when the event is about something else."""
    gateway: CardGateway = current_app.extensions["gateway"]
    if event.object_id and event.kind.startswith(CHECKOUT):
        return gateway.retrieve_checkout(event.object_id)
    if event.object_id and event.kind.startswith(PAYMENT):  # a declined card leaves its checkout open
        return gateway.checkout_of_payment(event.object_id)
    return None
