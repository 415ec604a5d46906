"""An address, checked by the rules of its network."""

from __future__ import annotations

import re
from collections.abc import Callable

from advancia.core.coin_addresses import base58, bech32
from advancia.core.coin_addresses.keccak import keccak256
from advancia.core.errors import DomainError

_BITCOIN_VERSIONS = (0x00, 0x05)  # of a key's hash, of a script's hash; test networks have others
_TRON_VERSION = 0x41
_HASH_BYTES = 20
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{40}")
_LONGEST = 128


class InvalidAddress(DomainError):
    """No money can arrive at such an address on that network."""


def checked(text: str, *, network: str) -> str:
    """The address as it is best written, once it is one of the network.

    Networks are called as providers call them: `btc`, `eth`, `tron`, and others of Ethereum's kind. Raises
    `InvalidAddress`, whose text says what is wrong, and for a network of which we know no rules as well: what cannot be
    checked is not sent to.
    """
    address = text.strip()
    if network not in _CHECKS:
        raise InvalidAddress(f"Addresses of the network {network} cannot be checked here.")
    if not address or len(address) > _LONGEST:
        raise InvalidAddress("Enter an address.")
    words, check = _CHECKS[network]
    try:
        return check(address)
    except ValueError as error:
        raise InvalidAddress(f"This is not an address on {words}. {error}") from None


def words_of(network: str) -> str:
    """The network in a sentence, such as `the Bitcoin network`."""
    return _CHECKS[network][0] if network in _CHECKS else f"the network {network}"


def _bitcoin(text: str) -> str:
    if text.lower().startswith("bc1"):
        bech32.witness_program(text, prefix="bc")
        return text.lower()
    content = base58.decoded(text)
    if len(content) != 1 + _HASH_BYTES or content[0] not in _BITCOIN_VERSIONS:
        raise ValueError("It belongs to another network.")
    return text


def _tron(text: str) -> str:
    content = base58.decoded(text)
    if len(content) != 1 + _HASH_BYTES or content[0] != _TRON_VERSION:
        raise ValueError("It belongs to another network.")
    return text


def _ethereum(text: str) -> str:
    """With capital and small letters mixed they are the check digits (EIP-55); in one case there are none."""
    if not _HEXADECIMAL.fullmatch(text):
        raise ValueError("It has 0x and 40 digits, 0 to 9 and a to f.")
    digits = text[2:]
    right = _with_check_digits(digits.lower())
    if digits not in (digits.lower(), digits.upper(), right):
        raise ValueError("The check digits do not fit: copy it with its capital and small letters.")
    return f"0x{right}"


def _with_check_digits(digits: str) -> str:
    marks = keccak256(digits.encode()).hex()
    return "".join(
        digit.upper() if int(mark, 16) > 7 else digit  # noqa: PLR2004 - EIP-55
        for digit, mark in zip(digits, marks, strict=False)
    )


_CHECKS: dict[str, tuple[str, Callable[[str], str]]] = {
    "btc": ("the Bitcoin network", _bitcoin),
    "tron": ("the Tron network", _tron),
    "eth": ("the Ethereum network", _ethereum),
    "bsc": ("the BNB Smart Chain", _ethereum),
    "polygon": ("the Polygon network", _ethereum),
    "arbitrum": ("the Arbitrum network", _ethereum),
    "avalanche": ("the Avalanche network", _ethereum),
}
CHECKED_NETWORKS = tuple(_CHECKS)
