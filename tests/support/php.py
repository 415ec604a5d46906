"""PHP's `json_encode($value, JSON_UNESCAPED_UNICODE)` and Cryptomus's signature, written down from their manuals.

It shares no code with the product, so that the two are held against each other. PHP values are written as Python's;
`Float` is a float as PHP's `serialize_precision = -1` prints it.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5
from typing import Any

SHORT = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 34: '"', 47: "/", 92: "\\"}


class Float(float):
    """A PHP float. A whole one loses its fraction (`10.0` is `10`); an exponent has one (`1.0e+25`, `1.0e-7`)."""

    def __repr__(self) -> str:
        mantissa, exponent, power = float.__repr__(self).partition("e")
        if not exponent:
            return mantissa.removesuffix(".0")
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{power[0]}{power[1:].lstrip('0')}"


def json_encode(value: Any) -> str:
    out: list[str] = []
    _put(value, out)
    return "".join(out)


def sign(value: dict[str, Any], key: str) -> str:
    """`md5(base64_encode(json_encode($data, JSON_UNESCAPED_UNICODE)) . $key)`."""
    text = b64encode(json_encode(value).encode("utf-8"))
    return md5(text + key.encode("utf-8"), usedforsecurity=False).hexdigest()


def signed(value: dict[str, Any], key: str, *, place: int | None = None) -> dict[str, Any]:
    """The body with its signature, at the end or at another place."""
    pairs = list(value.items())
    pairs.insert(len(pairs) if place is None else place, ("sign", sign(value, key)))
    return dict(pairs)


def _put(value: Any, out: list[str]) -> None:
    if value is None:
        out.append("null")
    elif value is True or value is False:
        out.append(str(value).lower())
    elif isinstance(value, (int, Float)):
        out.append(repr(value))
    elif isinstance(value, str):
        _put_text(value, out)
    elif isinstance(value, list):
        out.append("[")
        for place, each in enumerate(value):
            out.append("," if place else "")
            _put(each, out)
        out.append("]")
    elif isinstance(value, dict):
        out.append("{")
        for place, (name, each) in enumerate(value.items()):
            out.append("," if place else "")
            _put_text(name, out)
            out.append(":")
            _put(each, out)
        out.append("}")
    else:
        raise TypeError(value)


def _put_text(text: str, out: list[str]) -> None:
    out.append('"')
    for character in text:
        code = ord(character)
        if code in SHORT:
            out.append("\\" + SHORT[code])
        elif code < 32 or code in (0x2028, 0x2029):
            out.append("\\u" + f"{code:04x}")
        else:
            out.append(character)
    out.append('"')
