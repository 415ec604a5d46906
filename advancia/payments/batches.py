"""Crediting many card payments at once: one question to the provider and one posting for up to a hundred of them.

Only the plain case is done here: a checkout of ours whose payment has come whole and in the deposit's currency, whose
fee is known, of which nothing is given back or disputed, for a customer whose account is open. All else is left to
`payments.news`, one event after the other, and so is whatever cannot be told from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from advancia import ledger
from advancia.core import outbox_batches
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.identity.services import suspension
from advancia.payments.crediting import Arrival, letter_about, postings_of
from advancia.providers.errors import MalformedEvent
from advancia.providers.stripe import CardGateway
from advancia.providers.stripe_events import read_event
from advancia.providers.stripe_objects import CardPayment

# The events that tell of a checkout which has been paid.
TELLING = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
# A payment begins when the customer presses the button; the event comes when their bank has let it through.
BEGUN_BEFORE = timedelta(minutes=10)
FEWEST_ON_A_PAGE = 10  # of the payments that are wanted, or it is cheaper to ask for each of the others

CREDITED, BEFORE = "The deposit credited.", "The deposit was credited before."

_LOCK = """
    select id, user_id, asset, state, checkout_id from deposit
    where provider = %s and checkout_id = any(%s) order by id for update
"""
_KNOW_CUSTOMERS = """
    insert into provider_customer (user_id, provider, customer)
    select told.user_id, %s, told.customer from unnest(%s::bigint[], %s::text[]) told (user_id, customer)
    on conflict (user_id, provider) do update set customer = excluded.customer
    where provider_customer.customer <> excluded.customer
"""
_WRITE_DOWN = """
    update deposit set state = 'paid', paid_at = %s, failure = null, checkout_url = null,
        payment_id = told.payment_id, credited = told.credited
    from unnest(%s::uuid[], %s::text[], %s::numeric[]) told (id, payment_id, credited) where deposit.id = told.id
"""


@dataclass(frozen=True, slots=True)
class Hint:
    """Where to look for the payment of a checkout: which payment it led to never changes, so an event may say it.

    Whether it has come, and how much, is what the provider says when it is asked.
    """

    checkout_id: str
    payment_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Paid:
    """A checkout and its payment as it stands now. `request_id` is that of the request which told us."""

    checkout_id: str
    payment: CardPayment
    request_id: str | None


@dataclass(frozen=True, slots=True)
class _Credit:
    deposit_id: UUID
    user_id: int
    state: str
    arrival: Arrival
    paid: Paid


def hint_of(kind: str, body: bytes) -> Hint | None:
    """What an event of the card provider says of where to look; None if it does not tell of a paid checkout."""
    if kind not in TELLING:
        return None
    try:
        event = read_event(body)
    except MalformedEvent:
        return None
    payment_id = event.object.get("payment_intent")
    if event.object_id is None or not isinstance(payment_id, str):
        return None
    return Hint(event.object_id, payment_id, event.created)


def payments_at(gateway: CardGateway, hints: Sequence[Hint]) -> dict[str, CardPayment]:
    """What the provider's list shows of these payments, by their ids; no transaction may be open.

    The list also shows payments that nobody asked for here, so it is read only as long as that is worth it. Raises
    `ProviderUnavailable` or `ProviderRefused`.
    """
    wanted, found = {hint.payment_id for hint in hints}, dict[str, CardPayment]()
    times = [hint.at for hint in hints]
    for page in gateway.payments(since=min(times) - BEGUN_BEFORE, until=max(times)):
        ours = {payment.id: payment for payment in page if payment.id in wanted}
        found |= ours
        if len(ours) < FEWEST_ON_A_PAGE or len(found) == len(wanted):
            break
    return found


def credit(session: Session, *, provider: str, paid: Iterable[Paid]) -> dict[str, str]:
    """Credit each of these payments to the customer of its deposit, once; return in words what was done, by checkout.

    Nothing is done about a checkout that is not in the answer: it needs a closer look. Locks are taken in the order in
    which `services.settle` takes them, of each sort in the order of ids. The caller commits.
    """
    found = _locked(session, provider, {each.checkout_id: each for each in paid})
    told = {each.paid.checkout_id: BEFORE for each in found if each.state == "paid"}
    due = [each for each in found if each.state in ("created", "pending", "failed", "expired")]
    _know_customers(session, provider, due)
    is_open = suspension.hold_open(session, {each.user_id for each in due})
    credited = _posted(session, provider, [each for each in due if each.user_id in is_open])
    _write_down(session, credited)
    return told | {each.paid.checkout_id: CREDITED for each in credited}


def _locked(session: Session, provider: str, paid: Mapping[str, Paid]) -> list[_Credit]:
    """The deposits of plain payments, locked until the caller commits."""
    rows = session.connection().exec_driver_sql(_LOCK, (provider, list(paid)))
    found = []
    for deposit_id, user_id, asset, state, checkout_id in rows:
        each = paid[checkout_id]
        arrival = _plain_arrival(each.payment, deposit_id, asset)
        if arrival is not None:
            found.append(_Credit(deposit_id, user_id, state, arrival, each))
    return found


def _plain_arrival(payment: CardPayment, deposit_id: UUID, asset: str) -> Arrival | None:
    """What has come, if nothing about it asks for a closer look."""
    is_plain = payment.has_come and not payment.has_refunds and not payment.is_disputed
    received: Money | None = payment.received
    if not is_plain or received is None or payment.fee is None:
        return None
    if payment.deposit_id != deposit_id or received.asset.code != asset:
        return None
    return Arrival(amount=received, fee=payment.fee, payment_id=payment.id)


def _know_customers(session: Session, provider: str, due: Sequence[_Credit]) -> None:
    """Remember by which name the provider knows them, as `services` does before it credits."""
    names = {each.user_id: each.paid.payment.customer for each in due if each.paid.payment.customer}
    user_ids = sorted(names)
    values = (provider, user_ids, [names[user_id] for user_id in user_ids])
    session.connection().exec_driver_sql(_KNOW_CUSTOMERS, values)


def _posted(session: Session, provider: str, due: Sequence[_Credit]) -> list[_Credit]:
    """Post them in one call; return those that the books take."""
    items = [
        ledger.BatchItem(
            reference=f"deposit:{each.deposit_id}",
            kind="deposit",
            postings=postings_of(provider, each.user_id, each.arrival),
            meta={"provider": provider},
            request_id=each.paid.request_id,
        )
        for each in due
    ]
    outcomes = ledger.post_many(session, items, atomic=False)
    return [each for each, outcome in zip(due, outcomes, strict=True) if outcome.refusal is None]


def _write_down(session: Session, credited: Sequence[_Credit]) -> None:
    columns: tuple[list[Any], ...] = (
        [each.deposit_id for each in credited],
        [each.arrival.payment_id for each in credited],
        [Decimal(each.arrival.amount.minor) for each in credited],
    )
    session.connection().exec_driver_sql(_WRITE_DOWN, (utcnow(), *columns))
    letters = [
        (letter_about(each.deposit_id, each.user_id, each.arrival.amount), each.paid.request_id)
        for each in credited
    ]
    outbox_batches.put(session, Job.SEND_EMAIL, letters)
