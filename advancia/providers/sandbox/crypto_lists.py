"""Pages of things by when they were made, newest first, as Cryptomus's lists are asked for and answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from advancia.providers.cryptomus_history import ZONE
from advancia.providers.sandbox.errors import ApiError
from advancia.providers.sandbox.store import Store

PAGE = 15
_DATES = {"date_from": 0, "date_to": 10**12}


def page_of(
    store: Store,
    asked: dict[str, Any],
    cursor: str | None,
    *,
    kind: str,
    shown: Callable[[dict[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    """A page of the things of that kind that were made between two dates. Raises `ApiError` (422)."""
    if cursor is not None and store.object(cursor) is None:
        raise ApiError("The cursor is invalid.", status=422, param="cursor")
    since, until = (_seconds(asked.get(name), usual) for name, usual in _DATES.items())
    things = store.made_between("", since, until, after=cursor, limit=PAGE + 1, kind=kind)
    page = things[:PAGE]
    more = len(things) > PAGE
    return {
        "items": [shown(each) for each in page],
        "paginate": {
            "count": len(page),
            "hasPages": more or cursor is not None,
            "nextCursor": page[-1]["id"] if more else None,
            "previousCursor": page[0]["id"] if cursor is not None and page else None,
            "perPage": PAGE,
        },
    }


def _seconds(told: Any, usual: int) -> int:
    if told is None:
        return usual
    try:
        return int(datetime.strptime(str(told), "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE).timestamp())
    except ValueError as error:
        raise ApiError("The date does not match the format Y-m-d H:i:s.", status=422, param="date") from error
