"""Base58Check: Bitcoin's older addresses, and Tron's. A version, a payload, and four bytes of a double SHA-256."""

from __future__ import annotations

import hashlib

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_CHECK_BYTES = 4


def decoded(text: str) -> bytes:
    """Version and payload, once their check bytes are right. Raises `ValueError`."""
    number = 0
    for character in text:
        if character not in _VALUES:
            raise ValueError(f"{character!r} is not used in such addresses.")
        number = number * 58 + _VALUES[character]
    zeros = len(text) - len(text.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    content, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if len(raw) <= _CHECK_BYTES or _check(content) != check:
        raise ValueError("The check digits do not fit.")
    return content


def encoded(content: bytes) -> str:
    """The address of a version and a payload."""
    raw = content + _check(content)
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, value = divmod(number, 58)
        text = _ALPHABET[value] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def _check(content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(content).digest()).digest()[:_CHECK_BYTES]
