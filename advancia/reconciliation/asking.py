"""How each provider is asked about its books: by pages, about one thing, and for what lies there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from advancia.providers import movements
from advancia.providers.cryptomus import CryptoGateway
from advancia.providers.cryptomus_history import movement_from
from advancia.providers.errors import ProviderRefused
from advancia.providers.movements import Movement, Page
from advancia.providers.stripe import CardGateway

# An invoice is open for half a day, and its payment may take two to be confirmed.
INVOICE_LASTS = timedelta(days=3)


class Asked(Protocol):
    """A provider's books, as its gateway tells them. Every question raises `ProviderError`."""

    @property
    def provider(self) -> str:
        """Its name, as `deposit.provider` has it."""

    @property
    def words(self) -> str:
        """Its name in a sentence."""

    @property
    def listed_before(self) -> timedelta:
        """How long before it moved money a thing may have got its place in the list."""

    def page(self, *, since: datetime, until: datetime, cursor: str | None) -> Page:
        """Some of what it lists of that time."""

    def about(self, what: str, ref: str) -> list[Movement]:
        """All that it has to tell of one thing, whenever that was; nothing if it does not know it."""

    def balance(self) -> dict[str, int] | None:
        """What lies there by currency, in smallest units; None where it tells no such thing."""


class Cards:
    """Stripe's balance transactions: everything that ever changes the balance there is one."""

    listed_before = timedelta()

    def __init__(self, gateway: CardGateway) -> None:
        self._gateway = gateway
        self.provider = gateway.name
        self.words = gateway.provider_words

    def page(self, *, since: datetime, until: datetime, cursor: str | None) -> Page:
        return self._gateway.movements(since=since, until=until, cursor=cursor)

    def about(self, what: str, ref: str) -> list[Movement]:
        try:
            source = self._gateway.charge_of_payment(ref) if what == movements.PAYMENT else ref
            return self._gateway.movements_of(source) if source else []
        except ProviderRefused:  # an id that is not one of its own
            return []

    def balance(self) -> dict[str, int]:
        return self._gateway.balance()


class Coins:
    """Cryptomus's invoices. Its balance is none that could be compared: coins are exchanged there, and paid out."""

    listed_before = INVOICE_LASTS

    def __init__(self, gateway: CryptoGateway) -> None:
        self._gateway = gateway
        self.provider = gateway.name
        self.words = gateway.provider_words

    def page(self, *, since: datetime, until: datetime, cursor: str | None) -> Page:
        return self._gateway.movements(since=since, until=until, cursor=cursor)

    def about(self, what: str, ref: str) -> list[Movement]:
        if what != movements.PAYMENT:
            return []
        try:
            return [movement_from(self._gateway.invoice(ref))]
        except ProviderRefused:
            return []

    def balance(self) -> None:
        return None
