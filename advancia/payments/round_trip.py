"""Whether a provider's webhooks reach us: have it send one about nothing, and see it in the inbox.

A trip moves no money and leaves an event that is ignored. `begin_crypto` and `begin_card` ask the provider and are
called with no transaction open; then look with `arrived_at`, again and again, until the event is there or it is late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from advancia.core.db import Session
from advancia.providers.cryptomus import CryptoGateway
from advancia.providers.cryptomus_events import ROUND_TRIP
from advancia.providers.stripe import CardGateway
from advancia.webhooks import queries


@dataclass(frozen=True)
class Trip:
    """An event that is on its way to us: whose, of which kind, about what."""

    provider: str
    kind: str
    object_id: str


def begin_crypto(gateway: CryptoGateway, *, callback_url: str) -> Trip:
    """Have the provider send a signed test webhook to `callback_url`, our `/webhooks/cryptomus` as the world sees it.

    Raises `ProviderUnavailable` and `ProviderRefused`.
    """
    order_id = f"{ROUND_TRIP}{uuid4().hex}"
    gateway.send_test_webhook(callback_url=callback_url, order_id=order_id)
    return Trip(gateway.name, "test.payment.paid", order_id)


def begin_card(gateway: CardGateway, *, return_url: str) -> Trip:
    """Have the provider tell of a checkout that was opened and closed without a payment.

    There is no call for a test webhook, so this is the event that costs nothing; it goes to the endpoint that is set
    at the provider. Raises as `begin_crypto`.
    """
    checkout_id = gateway.begin_round_trip(return_url=return_url)
    return Trip(gateway.name, "checkout.session.expired", checkout_id)


def arrived_at(session: Session, trip: Trip) -> datetime | None:
    """When the trip's event came in, verified; None while it is not there."""
    return queries.arrival_of(session, provider=trip.provider, kind=trip.kind, object_id=trip.object_id)
