"""What the simulation's objects have in common: ids, what of them is shown, and what an event looks like."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.store import Store
from advancia.providers.stripe_events import API_VERSION

OURS = "sandbox"  # what the simulation remembers beside what the API shows
_MOST_DIGITS = 15


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def shown(thing: dict[str, Any]) -> dict[str, Any]:
    """The object as the API shows it."""
    return {name: value for name, value in thing.items() if name != OURS}


def expanded(store: Store, thing: dict[str, Any], paths: Iterable[str] | None) -> dict[str, Any]:
    """As `shown`, with the objects in full that the dotted paths lead to."""
    whole = shown(thing)
    for path in paths or ():
        _expand(store, whole, path.split("."))
    return whole


def found(store: Store, object_id: Any, kind: str) -> dict[str, Any]:
    """The object of that id and kind. Raises `ApiError` (404)."""
    thing = store.object(str(object_id))
    if thing is None or thing["object"] != kind:
        raise ApiError(f"No such {kind}: '{object_id}'", status=404, code="resource_missing", param="id")
    return thing


def listed(path: str, things: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "url": path, "has_more": False, "data": things}


def announce(store: Store, kind: str, about: dict[str, Any], now: float) -> None:
    """Send an event, if our endpoint is subscribed to its kind."""
    if kind in store.subscribed:
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": int(now),
            "data": {"object": shown(about)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        store.add_event(event, now)


def whole(text: Any, name: str) -> int:
    """A whole number as a form sends it. Raises `ApiError`."""
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise ApiError(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    return int(text)


def _expand(store: Store, holder: dict[str, Any], path: list[str]) -> None:
    name, *rest = path
    inner = holder.get(name)
    if isinstance(inner, str) and (thing := store.object(inner)) is not None:
        holder[name] = inner = shown(thing)
    if rest and isinstance(inner, dict):
        _expand(store, inner, rest)
