"""Working off the inbox."""

from __future__ import annotations

from flask import current_app

from advancia.core import outbox_batches
from advancia.core.db import Session, db, in_unit_of_work, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import Claim
from advancia.ledger import InsufficientFunds, LedgerError
from advancia.payments import batches, news
from advancia.payments.batches import Hint
from advancia.payments.errors import NotYet, WrongCheckout
from advancia.payments.news import News
from advancia.payments.strays import services as strays
from advancia.providers.errors import ProviderError, ProviderRefused
from advancia.webhooks import queries, services
from worker.tasks import FEWEST_TOGETHER, Task, batch_job, job

NOTHING = "It is about nothing that we act on."
# A provider that says no may be a moment behind itself; after that it means it.
TRIES_UNTIL_NO_IS_NO = 3


@job(Job.APPLY_WEBHOOK)
def apply_webhook(task: Task, event_id: int) -> None:
    """Ask the provider how things stand now, and bring our books to that.

    Repeatable: what counts is the provider's present state, so neither order nor number of events matters. What fits
    no deposit goes into suspense, and its event is parked until staff have decided about that; trouble in reaching the
    provider is left to raise, so that it is tried again, and only after the last try the event is parked as well.
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


@batch_job(Job.APPLY_WEBHOOK)
def apply_webhooks(claims: list[Claim]) -> set[int]:
    """Credit those of the events that tell of a plain card payment, in one go; the others are left.

    As repeatable as `apply_webhook`: the payments are read back, and what is credited, written down and marked done is
    so in one transaction, or not at all.
    """
    gateway = current_app.extensions["gateway"]
    hints = _hints(claims, gateway.name if gateway else None)
    if len(hints) < FEWEST_TOGETHER:
        return set()
    payments = batches.payments_at(gateway, list(hints.values()))
    told = [
        (claim, batches.Paid(hint.checkout_id, payments[hint.payment_id], claim.request_id))
        for claim in claims
        if (hint := hints.get(claim.outbox_id)) and hint.payment_id in payments
    ]
    return in_unit_of_work(lambda session: _credit(session, gateway.name, told)) if told else set()


def _hints(claims: list[Claim], provider: str | None) -> dict[int, Hint]:
    """By the row of the outbox, where the payment is to be looked for."""
    bodies = queries.bodies(db.session(), [claim.payload["event_id"] for claim in claims])
    db.session.rollback()  # no transaction is open while the provider is asked
    found = {}
    for claim in claims:
        of, kind, body = bodies.get(claim.payload["event_id"], (None, "", b""))
        if of is not None and of == provider and (hint := batches.hint_of(kind, body)):
            found[claim.outbox_id] = hint
    return found


def _credit(session: Session, provider: str, told: list[tuple[Claim, batches.Paid]]) -> set[int]:
    """Credit what is not done elsewhere meanwhile; return the rows that are done by it."""
    held = outbox_batches.hold_open(session, [claim.outbox_id for claim, _ in told])
    told = [(claim, paid) for claim, paid in told if claim.outbox_id in held]
    words = batches.credit(session, provider=provider, paid=[paid for _, paid in told])
    done, outcomes = set(), {}
    for claim, paid in told:
        if paid.checkout_id in words:
            done.add(claim.outbox_id)
            outcomes[claim.payload["event_id"]] = words[paid.checkout_id]
            words[paid.checkout_id] = batches.BEFORE  # for another event of the same
    services.settle_applied(session, outcomes)
    outbox_batches.mark_done(session, done)
    return done


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
        if (stray := found.stray) is None:
            services.settle(session, event_id, state="parked", outcome=why)
            return
        outcome = f"{why} {stray.put_aside(session)}"
        if strays.waits(session, provider=stray.provider, payment_id=stray.payment_id):
            services.wait_for(session, event_id, payment_id=stray.payment_id, outcome=outcome)
        else:
            services.settle(session, event_id, state="applied", outcome=f"{outcome} That was decided before.")


def _note(task: Task, event_id: int, trouble: Exception) -> None:
    why = f"{trouble} {getattr(trouble, 'detail', '')}".strip()
    with unit_of_work() as session:
        services.note_failure(session, event_id, attempt=task.claim.attempt, error=why)
        if task.is_last_try:
            services.settle(session, event_id, state="parked", outcome=why)
