"""Card payments by Stripe Checkout; the simulation is asked through the same client at another address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
import stripe

from advancia.config import Settings
from advancia.core.money import Money, asset
from advancia.providers.errors import (
    BadSignature,
    MalformedEvent,
    ProviderError,
    ProviderNotSetUp,
    ProviderRefused,
    ProviderUnavailable,
)
from advancia.providers.stripe_events import (
    API_VERSION,
    ENABLED_EVENTS,
    SIGNATURE_HEADER,
    Event,
    deposit_id_in,
    verify_event,
)

if TYPE_CHECKING:
    from stripe.checkout import Session
    from stripe.params.checkout import SessionCreateParams

__all__ = [
    "API_VERSION",
    "ENABLED_EVENTS",
    "SIGNATURE_HEADER",
    "BadSignature",
    "CardGateway",
    "Checkout",
    "Event",
    "MalformedEvent",
    "ProviderError",
    "ProviderNotSetUp",
    "ProviderRefused",
    "ProviderUnavailable",
    "gateway_from",
    "verify_event",
    "webhook_secrets_from",
]

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# One repetition, under the same idempotency key, heals a dropped connection; more would hold a web thread
# for half a minute while the provider is down.
RETRIES = 1
_STRIPE_PAGES = "https://checkout.stripe.com"


@dataclass(frozen=True)
class Checkout:
    """A checkout as it stands at the provider now.

    `failed`: nothing is paid and the last attempt was declined, in the words of `failure_words`. While
    `status` is 'open' the customer may still try again on the same page, so a failure is final only when it
    is not open. `url` is None once the page is closed.
    """

    id: str
    url: str | None
    status: str  # 'open', 'complete', 'expired'
    payment_status: str  # 'paid', 'unpaid', 'no_payment_required'
    amount: Money
    deposit_id: UUID | None
    payment_intent: str | None
    failure_words: str | None = None

    @property
    def is_paid(self) -> bool:
        return self.status == "complete" and self.payment_status == "paid"

    @property
    def failed(self) -> bool:
        return not self.is_paid and self.failure_words is not None

    @property
    def is_open(self) -> bool:
        return self.status == "open"


class CardGateway:
    """Checkouts at Stripe, or at whatever speaks its API at `api_base`.

    Every call raises `ProviderUnavailable` (ask again later) or `ProviderRefused` (an answer: no).
    """

    def __init__(
        self,
        key: str,
        *,
        name: str = "stripe",
        api_base: str | None = None,
        timeouts: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        retries: int = RETRIES,
    ) -> None:
        self.name = name
        self.page_origin = _origin(api_base) if api_base else _STRIPE_PAGES
        self._client = stripe.StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base} if api_base else None,
            max_network_retries=retries,
            http_client=stripe.RequestsClient(
                timeout=timeouts, session=_direct_session() if api_base else None
            ),
        )

    @property
    def label(self) -> str:
        """What the customer chooses."""
        return "Card (Stripe)" if self.name == "stripe" else "Sandbox card (simulated)"

    @property
    def provider_words(self) -> str:
        """The provider in a sentence."""
        return "Stripe" if self.name == "stripe" else "the sandbox"

    def create_checkout(
        self,
        *,
        deposit_id: UUID,
        amount: Money,
        customer_email: str,
        success_url: str,
        cancel_url: str,
        expires_at: datetime,
    ) -> Checkout:
        """Open a checkout for the deposit, or get the one that was opened for it before.

        Repeatable with the same arguments: the deposit's id is the idempotency key, and other arguments under
        the same id are refused. `expires_at` must lie 30 minutes to 24 hours ahead.
        """
        names = {"deposit_id": str(deposit_id)}
        params: SessionCreateParams = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": amount.asset.code.lower(),
                        "unit_amount": amount.minor,
                        "product_data": {"name": "Add money to your wallet"},
                    },
                }
            ],
            "client_reference_id": str(deposit_id),
            "customer_email": customer_email,
            "success_url": success_url,
            "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()),
            "metadata": names,
            "payment_intent_data": {"metadata": names},
            "adaptive_pricing": {"enabled": False},  # the customer pays the very amount that we credit
            "expand": ["payment_intent"],
        }
        with self._translated():
            session = self._client.v1.checkout.sessions.create(
                params, {"idempotency_key": f"deposit:{deposit_id}:checkout"}
            )
        return self._checkout(session)

    def retrieve_checkout(self, checkout_id: str) -> Checkout:
        """The checkout as it stands now: the one thing on which money is credited."""
        with self._translated():
            session = self._client.v1.checkout.sessions.retrieve(checkout_id, {"expand": ["payment_intent"]})
        return self._checkout(session)

    def checkout_of_payment(self, payment_intent: str) -> Checkout | None:
        """The checkout that a payment belongs to, as it stands now; None for a payment begun elsewhere.

        For events that speak of the payment alone, such as a decline.
        """
        with self._translated():
            found = self._client.v1.checkout.sessions.list(
                {"payment_intent": payment_intent, "limit": 1, "expand": ["data.payment_intent"]}
            )
        return self._checkout(found.data[0]) if found.data else None

    def expire_checkout(self, checkout_id: str) -> Checkout:
        """Close the checkout's page, and tell how it stands: a payment that came first stays."""
        try:
            with self._translated():
                self._client.v1.checkout.sessions.expire(checkout_id)
        except ProviderRefused:
            checkout = self.retrieve_checkout(checkout_id)
            if checkout.is_open:
                raise
            return checkout
        return self.retrieve_checkout(checkout_id)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (stripe.InvalidRequestError, stripe.IdempotencyError, stripe.CardError) as error:
            raise ProviderRefused(self.provider_words, detail=str(error)) from error
        except stripe.StripeError as error:
            # Network, 5xx, 409, 429, and a refused key (401, 403): that one is ours to mend, and says nothing
            # about the payment. Anything unknown counts as unknown as well.
            raise ProviderUnavailable(self.provider_words, detail=str(error)) from error

    def _checkout(self, session: Session) -> Checkout:
        stands = session.to_dict()
        try:
            return Checkout(
                id=stands["id"],
                url=stands.get("url"),
                status=stands["status"],
                payment_status=stands["payment_status"],
                amount=Money(stands["amount_total"], asset(stands["currency"].upper())),
                deposit_id=deposit_id_in(stands.get("metadata")),
                payment_intent=_payment_intent_id(stands.get("payment_intent")),
                failure_words=_failure_words(stands),
            )
        except (LookupError, TypeError, AttributeError) as error:
            raise ProviderUnavailable(self.provider_words, detail=f"Unexpected answer: {error!r}") from error


def gateway_from(settings: Settings) -> CardGateway:
    """Stripe when its key is set, else the simulation. Raises `ProviderNotSetUp` when there is neither."""
    if settings.stripe_secret_key:
        return CardGateway(settings.stripe_secret_key)
    if settings.sandbox_url and settings.sandbox_secret:
        return CardGateway(settings.sandbox_secret, name="sandbox", api_base=settings.sandbox_url)
    raise ProviderNotSetUp


def webhook_secrets_from(settings: Settings) -> tuple[str, ...]:
    """The secrets with which events of the gateway in use are signed."""
    if settings.stripe_secret_key:
        return settings.stripe_webhook_secrets
    return (settings.sandbox_secret,) if settings.sandbox_secret else ()


def _payment_intent_id(expanded: Any) -> str | None:
    named = expanded["id"] if isinstance(expanded, dict) else expanded
    return named if isinstance(named, str) else None


def _failure_words(session: dict[str, Any]) -> str | None:
    """Why the last attempt failed. A decline leaves the session open and shows on its payment alone."""
    intent = session.get("payment_intent")
    if not isinstance(intent, dict) or intent.get("status") not in ("requires_payment_method", "canceled"):
        return None
    if (error := intent.get("last_payment_error")) is not None:
        return error.get("message") or "The payment was declined."
    # Before the first attempt a payment stands like this as well; once the session is complete it has failed.
    return "The payment was declined." if session["status"] == "complete" else None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _direct_session() -> requests.Session:
    """A session that ignores proxy settings of the environment: the simulation runs on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session
