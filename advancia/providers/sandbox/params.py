"""Form bodies with brackets, as Stripe's clients send them, made into nested values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from advancia.providers.sandbox.errors import ApiError

_KEY = re.compile(r"([A-Za-z0-9_]+)((?:\[[A-Za-z0-9_-]*\])*)")
_PART = re.compile(r"\[([^\]]*)\]")


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`line_items[0][quantity]=1` becomes `{"line_items": [{"quantity": "1"}]}`; values stay text.

    Raises `ApiError` for a key of another form, or one that is both a value and a group.
    """
    tree: dict[str, Any] = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match is None:
            raise ApiError(f"Invalid parameter name: {key}", param=key)
        _put(tree, [match[1], *_PART.findall(match[2])], value, key)
    return {name: _lists(inner) for name, inner in tree.items()}


def _put(tree: dict[str, Any], path: list[str], value: str, key: str) -> None:
    *groups, last = path
    for name in groups:
        tree = tree.setdefault(name or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise ApiError("Invalid object", param=key)
    if isinstance(tree.get(last), dict):
        raise ApiError("Invalid object", param=key)
    tree[last or str(len(tree))] = value


def _lists(value: Any) -> Any:
    """Groups whose keys are 0, 1, 2 … are lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    if inner and list(inner) == [str(place) for place in range(len(inner))]:
        return list(inner.values())
    return inner
