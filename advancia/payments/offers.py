"""What can be paid in, by which way, from how much to how much, at what fee, and how soon it arrives."""

from __future__ import annotations

from dataclasses import dataclass

from advancia.core.money import Money
from advancia.payments.errors import NotOffered

CARDS = ("stripe", "sandbox")
CRYPTO = ("cryptomus", "sandbox_crypto")


@dataclass(frozen=True)
class Terms:
    """What a customer should know before choosing a way to pay."""

    smallest: Money
    largest: Money
    fee_words: str
    arrival_words: str


_CARD = {
    "USD": Terms(
        Money.of("1.00", "USD"),
        Money.of("10000.00", "USD"),
        "No fee",
        "Arrives within seconds of the payment; with some banks after days",
    )
}
_NETWORK_FEE = "No fee of ours. Your wallet asks for the network's own fee"
_COINS = {
    "BTC": Terms(
        Money.of("0.00005", "BTC"), Money.of("1", "BTC"), _NETWORK_FEE, "Arrives in 10 to 60 minutes"
    ),
    "ETH": Terms(Money.of("0.002", "ETH"), Money.of("20", "ETH"), _NETWORK_FEE, "Arrives in 3 to 10 minutes"),
    "USDT": Terms(
        Money.of("5", "USDT"), Money.of("50000", "USDT"), _NETWORK_FEE, "Arrives in 2 to 5 minutes"
    ),
}


def terms(provider: str, code: str) -> Terms:
    """What holds for paying in that asset through that provider. Raises `NotOffered`."""
    offered = _CARD if provider in CARDS else _COINS if provider in CRYPTO else {}
    if code not in offered:
        raise NotOffered
    return offered[code]


def assets_of(provider: str) -> tuple[str, ...]:
    """The codes of what can be paid in through that provider."""
    return tuple(_CARD if provider in CARDS else _COINS if provider in CRYPTO else ())
