"""Bech32 and Bech32m: Bitcoin's addresses of witness programs (BIP 173, BIP 350)."""

from __future__ import annotations

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECK_LENGTH = 6
_LONGEST = 90
_BECH32, _BECH32M = 1, 0x2BC830A3
_TAPROOT_ON = 1  # from this version of witness programs on the check digits are those of Bech32m
_LATEST_VERSION = 16
_LENGTHS_OF_FIRST = (20, 32)  # of a program of version 0: of a key's hash, of a script's hash
_SHORTEST_PROGRAM, _LONGEST_PROGRAM = 2, 40


def witness_program(text: str, *, prefix: str) -> tuple[int, bytes]:
    """Version and program of an address of that prefix, such as `bc`. Raises `ValueError`."""
    values = _checked_values(text, prefix)
    version, program = values[0], _as_bytes(values[1:-_CHECK_LENGTH])
    expected = _BECH32M if version >= _TAPROOT_ON else _BECH32
    if _polymod(_expanded(prefix) + values) != expected:
        raise ValueError("The check digits do not fit.")
    if version > _LATEST_VERSION or not _SHORTEST_PROGRAM <= len(program) <= _LONGEST_PROGRAM:
        raise ValueError("There is no such kind of address.")
    if version == 0 and len(program) not in _LENGTHS_OF_FIRST:
        raise ValueError("It is too long or too short.")
    return version, program


def _checked_values(text: str, prefix: str) -> list[int]:
    if text not in (text.lower(), text.upper()):
        raise ValueError("Capital and small letters are mixed.")
    found, separator, rest = text.lower().rpartition("1")
    if not separator or found != prefix or len(text) > _LONGEST:
        raise ValueError("It is not an address of this network.")
    if len(rest) <= _CHECK_LENGTH or any(character not in _VALUES for character in rest):
        raise ValueError("A letter is wrong, or some are missing.")
    return [_VALUES[character] for character in rest]


def _expanded(prefix: str) -> list[int]:
    codes = [ord(character) for character in prefix]
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            check ^= generator if top >> bit & 1 else 0
    return check


def _as_bytes(fives: list[int]) -> bytes:
    """Groups of five bits as bytes; what is left over must be less than a group, and zero."""
    number = 0
    for five in fives:
        number = number << 5 | five
    left = len(fives) * 5 % 8
    if left >= 5 or number & ((1 << left) - 1):  # noqa: PLR2004 - bits of a group
        raise ValueError("It is too long or too short.")
    return (number >> left).to_bytes(len(fives) * 5 // 8, "big")
