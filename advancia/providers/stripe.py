"""Card payments by Stripe Checkout; the simulation is asked through the same client at another address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import requests
import stripe

from advancia.config import Settings
from advancia.core.money import Money
from advancia.providers.breaker import Breaker
from advancia.providers.errors import (
    BadSignature,
    MalformedEvent,
    ProviderError,
    ProviderNotSetUp,
    ProviderRefused,
    ProviderUnavailable,
)
from advancia.providers.movements import Movement, Page
from advancia.providers.stripe_balance import balance_from, page_from
from advancia.providers.stripe_events import (
    API_VERSION,
    ENABLED_EVENTS,
    SIGNATURE_HEADER,
    Event,
    verify_event,
)
from advancia.providers.stripe_objects import (
    CardDispute,
    CardPayment,
    CardPayout,
    CardRefund,
    Checkout,
    Told,
    checkout_from,
    dispute_from,
    payment_from,
    payments_from,
    payout_from,
    refund_from,
)

if TYPE_CHECKING:
    from stripe.checkout import Session
    from stripe.params import RefundCreateParams
    from stripe.params.checkout import SessionCreateParams

__all__ = [
    "API_VERSION",
    "ENABLED_EVENTS",
    "SIGNATURE_HEADER",
    "BadSignature",
    "CardDispute",
    "CardGateway",
    "CardPayment",
    "CardPayout",
    "CardRefund",
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

Told_ = TypeVar("Told_")

# What is asked for in full, so that one call tells whether a payment has come, and what it cost.
WITH_BALANCE = "latest_charge.balance_transaction"
WITH_PAYMENT = f"payment_intent.{WITH_BALANCE}"
PAGE_SIZE = 100  # the most that a list gives
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# One repetition, under the same idempotency key, heals a dropped connection; more would hold a web thread
# for half a minute while the provider is down.
RETRIES = 1
_STRIPE_PAGES = "https://checkout.stripe.com"


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
        self.breaker = Breaker(self.provider_words)
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
        customer: str | None = None,
    ) -> Checkout:
        """Open a checkout for the deposit, or get the one that was opened for it before.

        `customer` is what an earlier checkout named the payer by, so that they need not type it all again.

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
            "success_url": success_url,
            "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()),
            "metadata": names,
            "payment_intent_data": {"metadata": names},
            "adaptive_pricing": {"enabled": False},  # the customer pays the very amount that we credit
            "expand": [WITH_PAYMENT],
        }
        if customer:
            params["customer"] = customer
        else:
            params["customer_email"] = customer_email
            params["customer_creation"] = "always"
        with self._translated():
            session = self._client.v1.checkout.sessions.create(
                params, {"idempotency_key": f"deposit:{deposit_id}:checkout"}
            )
        return self._checkout(session)

    def retrieve_checkout(self, checkout_id: str) -> Checkout:
        """The checkout as it stands now: the one thing on which money is credited."""
        with self._translated():
            session = self._client.v1.checkout.sessions.retrieve(checkout_id, {"expand": [WITH_PAYMENT]})
        return self._checkout(session)

    def checkout_of_payment(self, payment_intent: str) -> Checkout | None:
        """The checkout that a payment belongs to, as it stands now; None for a payment begun elsewhere.

        For events that speak of the payment alone, such as a decline.
        """
        with self._translated():
            found = self._client.v1.checkout.sessions.list(
                {"payment_intent": payment_intent, "limit": 1, "expand": [f"data.{WITH_PAYMENT}"]}
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

    def begin_round_trip(self, *, return_url: str) -> str:
        """Open a checkout that nobody is led to and close it at once; return its id, of which an event will come."""
        params: SessionCreateParams = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": 100,
                        "product_data": {"name": "A test of the way back, not to be paid"},
                    },
                }
            ],
            "success_url": return_url,
            "cancel_url": return_url,
        }
        with self._translated():
            opened = self._client.v1.checkout.sessions.create(params)
        return self.expire_checkout(opened.id).id

    def payment(self, payment_intent: str) -> CardPayment:
        """The payment as it stands now, whether or not it belongs to a checkout."""
        with self._translated():
            told = self._client.v1.payment_intents.retrieve(payment_intent, {"expand": [WITH_BALANCE]})
        return self._read(payment_from, told)

    def payments(self, *, since: datetime, until: datetime) -> Iterator[list[CardPayment]]:
        """The payments that were begun within these seconds, as they stand now: the newest first, a hundred a page.

        Each page is one question. What of a page cannot be read is left out.
        """
        asked: dict[str, Any] = {
            "created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())},
            "expand": [f"data.{WITH_BALANCE}"],
            "limit": PAGE_SIZE,
        }
        while True:
            with self._translated():  # as plain values: to make objects of all of them costs more than to ask
                told = self._client.raw_request("get", "/v1/payment_intents", **asked)
            page = self._understood(payments_from, told.data)
            yield page.payments
            if not page.has_more:
                return
            asked["starting_after"] = page.last

    def payment_of_charge(self, charge: str) -> str | None:
        """The payment that a charge belongs to; None for one from before payments were invented."""
        with self._translated():
            told = self._client.v1.charges.retrieve(charge)
        named = told.to_dict().get("payment_intent")
        return named if isinstance(named, str) else None

    def give_back(self, *, refund_id: UUID, payment_intent: str, amount: Money) -> CardRefund:
        """Refund so much of the payment, or get the refund that was made for this id before.

        Repeatable with the same arguments: our id is the idempotency key. After `ProviderUnavailable` the outcome is
        unknown: look for it among `refunds_of` before asking again.
        """
        params: RefundCreateParams = {
            "payment_intent": payment_intent,
            "amount": amount.minor,
            "metadata": {"refund_id": str(refund_id)},
        }
        with self._translated():
            told = self._client.v1.refunds.create(params, {"idempotency_key": f"refund:{refund_id}"})
        return self._read(refund_from, told)

    def refund(self, refund: str) -> CardRefund:
        """The refund as it stands now."""
        with self._translated():
            told = self._client.v1.refunds.retrieve(refund)
        return self._read(refund_from, told)

    def refunds_of(self, payment_intent: str) -> list[CardRefund]:
        """All refunds of a payment, those made at the provider's own pages included."""
        with self._translated():
            pages = self._client.v1.refunds.list({"payment_intent": payment_intent, "limit": 100})
            told = list(pages.auto_paging_iter())
        return [self._read(refund_from, each) for each in told]

    def dispute(self, dispute: str) -> CardDispute:
        """The dispute as it stands now."""
        with self._translated():
            told = self._client.v1.disputes.retrieve(dispute)
        return self._read(dispute_from, told)

    def disputes_of(self, payment_intent: str) -> list[CardDispute]:
        """All disputes of a payment."""
        with self._translated():
            told = self._client.v1.disputes.list({"payment_intent": payment_intent, "limit": 100}).data
        return [self._read(dispute_from, each) for each in told]

    def payout(self, payout: str) -> CardPayout:
        """The payout to our bank as it stands now."""
        with self._translated():
            told = self._client.v1.payouts.retrieve(payout)
        return self._read(payout_from, told)

    def movements(self, *, since: datetime, until: datetime, cursor: str | None = None) -> Page:
        """What has changed our balance from `since` (included) to `until`: a hundred changes, the newest first.

        Nothing of a page is left out: one that cannot be read is `ProviderUnavailable` as a whole.
        """
        asked: dict[str, Any] = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "expand": ["data.source"],
            "limit": PAGE_SIZE,
        }
        return self._moved(asked | ({"starting_after": cursor} if cursor else {}))

    def movements_of(self, source: str) -> list[Movement]:
        """What one charge, refund, dispute or payout has changed, whenever that was."""
        return list(self._moved({"source": source, "expand": ["data.source"], "limit": PAGE_SIZE}).movements)

    def charge_of_payment(self, payment_intent: str) -> str | None:
        """The charge that a payment has led to, which is the source of what it changed."""
        with self._translated():
            told = self._client.v1.payment_intents.retrieve(payment_intent)
        named = told.to_dict().get("latest_charge")
        return named if isinstance(named, str) else None

    def balance(self) -> dict[str, int]:
        """What lies there for us by currency, in smallest units: available, or pending."""
        with self._translated():
            told = self._client.raw_request("get", "/v1/balance")
        return self._understood(balance_from, told.data)

    def _moved(self, asked: dict[str, Any]) -> Page:
        with self._translated():
            told = self._client.raw_request("get", "/v1/balance_transactions", **asked)
        return self._understood(page_from, told.data)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with self.breaker.call(), self._in_our_words():
            yield

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except (stripe.InvalidRequestError, stripe.IdempotencyError, stripe.CardError) as error:
            raise ProviderRefused(self.provider_words, detail=str(error)) from error
        except stripe.StripeError as error:
            # Network, 5xx, 409, 429, and a refused key (401, 403): that one is ours to mend, and says nothing
            # about the payment. Anything unknown counts as unknown as well.
            raise ProviderUnavailable(self.provider_words, detail=str(error)) from error

    def _checkout(self, session: Session) -> Checkout:
        return self._read(checkout_from, session)

    def _read(self, read: Callable[[Told], Told_], told: stripe.StripeObject) -> Told_:
        return self._understood(read, told.to_dict())

    def _understood(self, read: Callable[[Told], Told_], told: Told) -> Told_:
        try:
            return read(told)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
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


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _direct_session() -> requests.Session:
    """A session that ignores proxy settings of the environment: the simulation runs on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session
