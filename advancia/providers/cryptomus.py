"""Crypto payments by Cryptomus invoices; the simulation is asked through the same client at another address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from advancia.config import Settings
from advancia.core.money import ASSETS, Asset, Money, asset
from advancia.providers.cryptomus_amounts import decimal_from, minor_units
from advancia.providers.cryptomus_calls import CONNECT_SECONDS, READ_SECONDS, UNREADABLE, SignedCalls
from advancia.providers.cryptomus_history import listed_between, moment_from, movement_from
from advancia.providers.cryptomus_payouts import CryptoPayouts
from advancia.providers.cryptomus_states import Meaning, meaning_of
from advancia.providers.movements import Page

PAGES = "https://pay.cryptomus.com"
SANDBOX = "sandbox_crypto"
SANDBOX_MERCHANT = "5a4d0b0e-0000-4000-8000-5a4db0c5a4db"
# One network for each asset, so that what is sent to an invoice's address is what was asked for.
NETWORKS = {"BTC": "btc", "ETH": "eth", "USDT": "tron"}
NETWORK_WORDS = {
    "arbitrum": "Arbitrum One",
    "avalanche": "Avalanche C-Chain",
    "base": "Base",
    "bch": "Bitcoin Cash",
    "bsc": "BNB Smart Chain (BEP-20)",
    "btc": "Bitcoin",
    "dash": "Dash",
    "doge": "Dogecoin",
    "eth": "Ethereum (ERC-20)",
    "ltc": "Litecoin",
    "optimism": "Optimism",
    "polygon": "Polygon",
    "sol": "Solana (SPL)",
    "ton": "TON",
    "tron": "Tron (TRC-20)",
    "xmr": "Monero",
}
SHORTEST_LIFE, LONGEST_LIFE = timedelta(seconds=300), timedelta(seconds=43_200)


@dataclass(frozen=True)
class Invoice:
    """An invoice as it stands at the provider now.

    `arrived` is what the payer has sent so far, in the asset that was sent, before the provider's `fee`; None when
    nothing came, or when it is of an asset that we do not keep: `arrived_words` tells it even then.
    """

    id: str
    order_id: str
    status: str
    asked: Money
    arrived: Money | None
    arrived_words: str
    fee: Money | None
    network: str | None
    address: str | None
    txid: str | None
    url: str | None
    is_final: bool
    expires_at: datetime | None = None
    created_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def deposit_id(self) -> UUID | None:
        try:
            return UUID(self.order_id)
        except ValueError:
            return None

    @property
    def meaning(self) -> Meaning:
        return meaning_of(self.status)

    @property
    def went_astray(self) -> bool:
        """Whether money came over another network, or in another asset, than was asked for."""
        if self.arrived is None:
            return bool(self.arrived_words)
        wrong_network = self.network is not None and self.network != NETWORKS[self.asked.asset.code]
        return self.arrived.asset != self.asked.asset or wrong_network


class CryptoGateway(SignedCalls):
    """Invoices at Cryptomus, or at whatever speaks its API at `api_base`.

    Every call raises `ProviderUnavailable` (ask again later) or `ProviderRefused` (an answer: no). `payouts` is None
    without a key for them.
    """

    def __init__(
        self,
        *,
        merchant: str,
        payment_key: str,
        payout_key: str | None = None,
        name: str = "cryptomus",
        api_base: str | None = None,
        timeouts: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> None:
        super().__init__(merchant=merchant, key=payment_key, name=name, api_base=api_base, timeouts=timeouts)
        self.page_origin = api_base or PAGES
        self.payouts = (
            CryptoPayouts(merchant=merchant, key=payout_key, name=name, api_base=api_base, timeouts=timeouts)
            if payout_key
            else None
        )

    @property
    def label(self) -> str:
        """What the customer chooses."""
        return "Crypto (Cryptomus)" if self.name == "cryptomus" else "Sandbox crypto (simulated)"

    def create_invoice(
        self,
        *,
        deposit_id: UUID,
        amount: Money,
        return_url: str,
        callback_url: str,
        lifetime: timedelta,
        success_url: str | None = None,
    ) -> Invoice:
        """Open an invoice for the deposit, or get the one that was opened for it before.

        The payer comes back to `success_url` once they have paid, where it differs from the way out before that.
        The deposit's id is the order's: a repeat gives the first invoice, whatever else is asked.
        """
        seconds = int(min(max(lifetime, SHORTEST_LIFE), LONGEST_LIFE).total_seconds())
        code = amount.asset.code
        asked = {
            "amount": amount.plain,
            "currency": code,
            "order_id": str(deposit_id),
            "network": NETWORKS[code],
            "url_return": return_url,
            "url_success": success_url or return_url,
            "url_callback": callback_url,
            "lifetime": seconds,
        }
        return self._invoice(self._call("/v1/payment", asked))

    def invoice(self, invoice_id: str) -> Invoice:
        """The invoice as it stands now: the one thing on which money is credited."""
        return self._invoice(self._call("/v1/payment/info", {"uuid": invoice_id}))

    def invoice_of(self, deposit_id: UUID) -> Invoice:
        """As `invoice`, by our own id: for when the answer to opening it was lost."""
        return self._invoice(self._call("/v1/payment/info", {"order_id": str(deposit_id)}))

    def give_back(self, invoice_id: str, *, address: str) -> None:
        """Have the invoice's money sent to `address`, all of it, less what the network takes for that.

        There is no id by which a repeat would be known: after `ProviderUnavailable` look at the invoice before asking
        again. It is accepted here and done later; the invoice's state tells how it ends.
        """
        self._call("/v1/payment/refund", {"uuid": invoice_id, "address": address, "is_subtract": False})

    def movements(self, *, since: datetime, until: datetime, cursor: str | None = None) -> Page:
        """A page of the invoices that were opened from `since` to `until` (both included), as they stand now.

        What came of each is one movement, as `movement_from` reads it. Nothing of a page is left out: one that cannot
        be read is `ProviderUnavailable` as a whole.
        """
        told = self._call("/v1/payment/list", listed_between(since, until), cursor=cursor)
        try:
            moved = [movement_from(self._invoice(each)) for each in told["items"]]
            return Page(moved, told["paginate"]["nextCursor"] or None)
        except UNREADABLE as error:
            raise self._unavailable(f"Unexpected answer: {error!r}") from error

    def resend(self, invoice_id: str) -> None:
        """Ask for the invoice's last webhook once more."""
        self._call("/v1/payment/resend", {"uuid": invoice_id})

    def send_test_webhook(self, *, callback_url: str, order_id: str, code: str = "USDT") -> None:
        """Ask for a signed webhook about nothing, to see that it reaches us."""
        asked = {
            "url_callback": callback_url,
            "currency": code,
            "network": NETWORKS[code],
            "order_id": order_id,
            "status": "paid",
        }
        self._call("/v1/test-webhook/payment", asked)

    def _invoice(self, told: Any) -> Invoice:
        try:
            return _read(told)
        except UNREADABLE as error:
            raise self._unavailable(f"Unexpected answer: {error!r}") from error


def network_words(code: str | None) -> str:
    """A network by the name that people know; one that we have no words for as the provider calls it."""
    return NETWORK_WORDS.get((code or "").lower(), code or "")


def sandbox_payout_key(secret: str) -> str:
    """The simulation has one secret, and keys of their own for payments and payouts all the same."""
    return f"{secret}-payouts"


def crypto_gateway_from(settings: Settings) -> CryptoGateway | None:
    """Cryptomus when its keys are set, else the simulation, else None: no crypto can be paid in."""
    if settings.cryptomus_merchant and settings.cryptomus_payment_keys:
        return CryptoGateway(
            merchant=settings.cryptomus_merchant,
            payment_key=settings.cryptomus_payment_keys[0],
            payout_key=settings.cryptomus_payout_key,
        )
    if settings.is_sandboxed and settings.sandbox_url and settings.sandbox_secret:
        return CryptoGateway(
            merchant=SANDBOX_MERCHANT,
            payment_key=settings.sandbox_secret,
            payout_key=sandbox_payout_key(settings.sandbox_secret),
            name=SANDBOX,
            api_base=settings.sandbox_url.rstrip("/"),
        )
    return None


def callback_keys_from(settings: Settings) -> tuple[str, ...]:
    """The keys with which webhooks of the gateway in use are signed; several while they are rotated."""
    if settings.cryptomus_payment_keys:
        return settings.cryptomus_payment_keys
    return (settings.sandbox_secret,) if settings.is_sandboxed and settings.sandbox_secret else ()


def _read(told: Any) -> Invoice:
    asked = asset(told["currency"])
    arrived = decimal_from(told.get("payment_amount"))
    code = str(told.get("payer_currency") or told["currency"])
    came = arrived is not None and arrived > 0
    of_asset = ASSETS.get(code)
    return Invoice(
        id=str(told["uuid"]),
        order_id=str(told["order_id"]),
        status=str(told.get("payment_status") or told["status"]),
        asked=_money(decimal_from(told["amount"]) or Decimal(), asked),
        arrived=_money(arrived, of_asset) if came and arrived and of_asset else None,
        arrived_words=f"{arrived} {code}" if came else "",
        fee=_fee(told, of_asset) if came else None,
        network=_text(told.get("network")),
        address=_text(told.get("address")),
        txid=_text(told.get("txid")),
        url=_text(told.get("url")),
        is_final=told.get("is_final") is True,
        expires_at=_instant(told.get("expired_at")),
        created_at=_moment(told.get("created_at")),
        changed_at=_moment(told.get("updated_at")),
    )


def _fee(told: dict[str, Any], of_asset: Asset | None) -> Money | None:
    """What the provider kept of the payment."""
    commission = decimal_from(told.get("commission"))
    if commission is None or commission <= 0 or of_asset is None:
        return None
    return _money(commission, of_asset) or None


def _money(amount: Decimal, of_asset: Asset) -> Money:
    return Money(minor_units(amount, of_asset.decimals), of_asset)


def _moment(told: Any) -> datetime | None:
    return moment_from(str(told)) if told else None


def _instant(told: Any) -> datetime | None:
    return datetime.fromtimestamp(int(told), UTC) if told else None


def _text(told: Any) -> str | None:
    return str(told) if told else None
