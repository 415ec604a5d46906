"""Working off the inbox."""

from __future__ import annotations

from flask import current_app

from advancia.core.db import db, in_unit_of_work, unit_of_work
from advancia.core.jobs import Job
from advancia.ledger import InsufficientFunds, LedgerError
from advancia.payments import news
from advancia.payments.errors import NotYet, WrongCheckout
from advancia.payments.news import News
from advancia.providers.errors import ProviderError, ProviderRefused
from advancia.webhooks import queries, services
from worker.tasks import Task, job

NOTHING = "It is about nothing that we act on."
# A provider that says no may be a moment behind itself; after that it means it.
TRIES_UNTIL_NO_IS_NO = 3


@job(Job.APPLY_WEBHOOK)
def apply_webhook(task: Task, event_id: int) -> None:
    """Ask the provider how things stand now, and bring our books to that.

    Repeatable: what counts is the provider's present state, so neither order nor number of events matters. What fits
    no deposit goes into suspense, and its event is parked for staff; trouble in reaching the provider is left to
    raise, so that it is tried again, and only after the last try the event is parked as well.
    """
    event = queries.event(db.session(), event_id)
    db.session.rollback()  # no transaction is open while the provider is asked
    try:
        found = _news_of(event)
        _apply(task, event_id, found)
    except WrongCheckout as trouble:
        _park(task, event_id, found, str(trouble))
    except (ProviderError, NotYet, LedgerError) as trouble:
        _note(task, event_id, trouble)
        if isinstance(trouble, LedgerError) and not isinstance(trouble, InsufficientFunds):
            _park(
                task, event_id, News(), f"The books refuse it: {trouble}"
            )  # such as for a payment rolled back
            return
        if isinstance(trouble, ProviderRefused) and task.claim.attempt >= TRIES_UNTIL_NO_IS_NO:
            _park(task, event_id, News(), f"{trouble} {trouble.detail}")
            return
        raise


def _news_of(event: queries.StoredEvent) -> News:
    """What the event comes to; nothing when its provider is no longer the one in use."""
    card, crypto = current_app.extensions["gateway"], current_app.extensions["crypto_gateway"]
    if event.object_id is None:
        return News()
    if card is not None and card.name == event.provider:
        return news.of_card(card, event.kind, event.object_id)
    if crypto is not None and crypto.name == event.provider:
        return news.of_crypto(crypto, event.kind, event.object_id)
    return News()


def _apply(task: Task, event_id: int, found: News) -> None:
    *first, last = found.steps or [lambda _session: ""]
    outcomes = [in_unit_of_work(step) for step in first]
    with task.finish() as session:
        outcomes.append(last(session))
        words = "; ".join(filter(None, outcomes)).rstrip(".")
        state, outcome = ("applied", f"{words}.") if found.steps else ("ignored", NOTHING)
        services.settle(session, event_id, state=state, outcome=outcome)


def _park(task: Task, event_id: int, found: News, why: str) -> None:
    with task.finish() as session:
        set_aside = f" {found.stray(session)}" if found.stray else ""
        services.settle(session, event_id, state="parked", outcome=f"{why}{set_aside}")


def _note(task: Task, event_id: int, trouble: Exception) -> None:
    why = f"{trouble} {getattr(trouble, 'detail', '')}".strip()
    with unit_of_work() as session:
        services.note_failure(session, event_id, attempt=task.claim.attempt, error=why)
        if task.is_last_try:
            services.settle(session, event_id, state="parked", outcome=why)
