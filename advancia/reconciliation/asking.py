"""How each provider is asked about its books: by pages, about one thing, and for what lies there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from advancia.providers import movements
from advancia.providers.cryptomus import CryptoGateway
from advancia.providers.cryptomus_history import movement_from
from advancia.providers.errors import ProviderRefused
from advancia.providers.movements import Movement, Page
from advancia.providers.stripe import CardGateway
from advancia.reconciliation.found import BALANCE, CHECKS

# An invoice is open for half a day, and its payment may take two to be confirmed.
INVOICE_LASTS = timedelta(days=3)
# What a cursor begins with once the invoices are all listed.
PAYOUTS = "payouts:"
NO_PAYOUT_KEY = (
    "What was paid out at {at} is not compared, since that takes a key of its own: copy the payout key from the "
    "merchant's settings there, and set CRYPTOMUS_PAYOUT_KEY to it."
)
# Coins are turned into others, and sent between the business and the personal wallet, and no list tells of either.
NO_BALANCE = (
    "What lies at {at} is not compared with our books: coins may be exchanged and moved between wallets there, and "
    "no list tells of that. Payments and payouts are compared one by one."
)


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

    @property
    def not_compared(self) -> Mapping[str, str]:
        """The checks that cannot be made with it, and for each why, and what to do about it."""

    def page(self, *, since: datetime, until: datetime, cursor: str | None) -> Page:
        """Some of what it lists of that time."""

    def about(self, what: str, ref: str) -> list[Movement]:
        """All that it has to tell of one thing, whenever that was; nothing if it does not know it."""

    def balance(self) -> dict[str, int] | None:
        """What lies there by currency, in smallest units; None where it tells no such thing."""


class Cards:
    """Stripe's balance transactions: everything that ever changes the balance there is one."""

    listed_before = timedelta()
    not_compared: Mapping[str, str] = {}

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
    """Cryptomus's invoices, and then its payouts, as far as there is a key for them."""

    listed_before = INVOICE_LASTS

    def __init__(self, gateway: CryptoGateway) -> None:
        self._gateway = gateway
        self.provider = gateway.name
        self.words = gateway.provider_words

    @property
    def not_compared(self) -> Mapping[str, str]:
        told = {BALANCE: NO_BALANCE.format(at=self.words)}
        if self._gateway.payouts is None:
            told[CHECKS[movements.PAYOUT]] = NO_PAYOUT_KEY.format(at=self.words)
        return told

    def page(self, *, since: datetime, until: datetime, cursor: str | None) -> Page:
        payouts = self._gateway.payouts
        if cursor is None or not cursor.startswith(PAYOUTS):
            page = self._gateway.movements(since=since, until=until, cursor=cursor)
            goes_on = page.cursor or (PAYOUTS if payouts else None)
            return Page(page.movements, goes_on)
        if payouts is None:  # the key was taken out while the run was broken off
            return Page()
        page = payouts.movements(since=since, until=until, cursor=cursor.removeprefix(PAYOUTS) or None)
        return Page(page.movements, PAYOUTS + page.cursor if page.cursor else None)

    def about(self, what: str, ref: str) -> list[Movement]:
        try:
            if what == movements.PAYMENT:
                return [movement_from(self._gateway.invoice(ref))]
            if what == movements.PAYOUT and self._gateway.payouts:
                return [self._gateway.payouts.movement_of(ref)]
        except ProviderRefused:
            pass
        return []

    def balance(self) -> None:
        return None
