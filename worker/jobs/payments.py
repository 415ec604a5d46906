"""What time does to deposits."""

from __future__ import annotations

from flask import current_app

from advancia.core import log
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.payments import services
from advancia.payments.errors import WrongCheckout
from advancia.providers.stripe import CardGateway, ProviderError, ProviderRefused
from worker.tasks import Task, job

AT_ONCE = 20

_log = log.logger(__name__)


@job(Job.EXPIRE_DEPOSITS)
def expire_deposits(_task: Task) -> None:
    """Close the deposits whose time has run out, each after a last question to its provider.

    Its events may have been lost on the way or parked here: so what was paid after all is credited now, and a payment
    that is under way is waited for. Repeatable; whom the provider gives no answer about is asked again next time.
    """
    overdue = services.overdue(db.session(), limit=AT_ONCE)
    db.session.rollback()  # no transaction is open while the provider is asked
    for each in overdue:
        try:
            _bring_to_an_end(each)
        except WrongCheckout as trouble:
            _log.error("deposit_left_open", deposit=str(each.deposit_id), trouble=str(trouble))
        except ProviderError as trouble:
            # Each of the others would wait for an answer as long, and the mails behind them.
            _log.warning("deposit_left_open", deposit=str(each.deposit_id), trouble=trouble.detail)
            return


def _bring_to_an_end(overdue: services.Overdue) -> None:
    gateway: CardGateway | None = current_app.extensions["gateway"]
    checkout = None
    if overdue.checkout_id and gateway is not None:
        try:
            checkout = gateway.retrieve_checkout(overdue.checkout_id)
        except ProviderRefused as unknown:  # such as one of the simulation, from before the keys were set
            _log.warning("checkout_unknown", deposit=str(overdue.deposit_id), detail=unknown.detail)
    with unit_of_work() as session:
        if checkout is not None:
            services.settle(session, checkout=checkout)
        if checkout is None or checkout.is_open:
            services.expire(session, overdue.deposit_id)
