"""Pages of things by when they were made, newest first, as Stripe's lists are asked for and answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.objects import expanded, found, listed, whole
from advancia.providers.sandbox.store import Store

_USUAL_PAGE, _LARGEST_PAGE = 10, 100
_LISTED_BY = {"created", "expand", "limit", "starting_after"}
_FOREVER = 10**12


def page_of(
    store: Store,
    path: str,
    params: dict[str, Any],
    *,
    prefix: str,
    kind: str,
    touch: Callable[[dict[str, Any]], dict[str, Any]] = lambda thing: thing,
) -> dict[str, Any]:
    """A page of the things of that kind made within `created`, each with a last `touch`. Raises `ApiError`."""
    if unknown := sorted(set(params) - _LISTED_BY):
        raise ApiError(f"The simulation does not list a {kind} by {unknown[0]}.", param=unknown[0])
    size = whole(params.get("limit", str(_USUAL_PAGE)), "limit")
    if not 1 <= size <= _LARGEST_PAGE:
        raise ApiError("Invalid integer: limit must be between 1 and 100.", param="limit")
    after = params.get("starting_after")
    if after is not None:
        found(store, after, kind)
    since, until = _bounds(params.get("created") or {})
    things = store.made_between(prefix, since, until, after=after, limit=size + 1)
    inner = [name.removeprefix("data.") for name in params.get("expand") or ()]
    page = [expanded(store, touch(each), inner) for each in things[:size]]
    return listed(path, page) | {"has_more": len(things) > size}


def _bounds(created: Any) -> tuple[int, int]:
    """From which second to which, both included."""
    if not isinstance(created, dict) or set(created) - {"gt", "gte", "lt", "lte"}:
        raise ApiError("Invalid created: give gt, gte, lt or lte.", param="created")
    bounds = {name: whole(text, f"created[{name}]") for name, text in created.items()}
    since = max(bounds.get("gte", 0), bounds.get("gt", -1) + 1)
    return since, min(bounds.get("lte", _FOREVER), bounds.get("lt", _FOREVER + 1) - 1)
