"""JSON as PHP writes it, so that a signature over PHP's text can be checked from the text that arrived.

`json_encode` with JSON_UNESCAPED_UNICODE puts a backslash before every slash and escapes the two line separators of
Unicode; numbers are kept as they were written, since no two languages print a float alike.
"""

from __future__ import annotations

import json
import re
from typing import Any

_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip
_ESCAPED = re.compile('["\\\\/\x00-\x1f\u2028\u2029]')


class Number(str):
    """A number as it was written: `1e3`, `0.10`, `12`."""

    __slots__ = ()


def decoded(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8, keys in their order, numbers as `Number`. Raises `ValueError`."""
    try:
        return json.loads(raw.decode(), parse_int=Number, parse_float=Number, parse_constant=_no_such_number)
    except RecursionError:
        raise ValueError("The text is nested too deep.") from None


def encoded(value: Any) -> str:
    """The text that PHP would write of `value`."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return f'"{_ESCAPED.sub(_escape, value)}"'
    if isinstance(value, dict):
        return f"{{{','.join(f'{encoded(str(key))}:{encoded(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(encoded, value))}]"
    return json.dumps(value)  # null, true, false, and numbers of ours


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _no_such_number(written: str) -> Any:
    raise ValueError(f"{written} is not a number in JSON.")
