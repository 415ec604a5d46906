"""What holds for every request: its id, its line in the log, and that a GET changes nothing."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, abort, current_app, g, request
from werkzeug.routing import IntegerConverter, Map

from advancia.core import context, db, log

LARGEST_ID = 2**63 - 1  # of the database's BIGINT
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_log = log.logger(__name__)


class IdConverter(IntegerConverter):
    """`<int:…>` in a route: an id that the database can hold; nothing has a larger one, so none is found."""

    def __init__(self, map: Map, *args: Any, **kwargs: Any) -> None:  # noqa: A002 - Werkzeug's name
        super().__init__(map, *args, **{"max": LARGEST_ID, **kwargs})


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = IdConverter
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_end)


def _begin() -> None:
    g.began_at = time.perf_counter()
    offered = request.headers.get("X-Request-ID") if _came_through_proxies() else None
    g.request_id_token = context.request_id.set(context.accept_request_id(offered))
    if request.method in SAFE_METHODS:
        g.reading_only = db.reading_only()
        g.reading_only.__enter__()
    if "\0" in request.path:  # which no text of the database can hold, so nothing is called so
        abort(404)


def _came_through_proxies() -> bool:
    """Whether our proxies, as many as there are, have noted whom they speak for; nobody else gives a request its id."""
    proxies: int = current_app.extensions["settings"].trusted_proxies
    noted = [each for each in request.headers.get("X-Forwarded-For", "").split(",") if each.strip()]
    return 0 < proxies <= len(noted)


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = context.request_id.get() or ""
    if request.endpoint not in ("static", "ops.health") and response.status_code != HTTPStatus.NOT_MODIFIED:
        _log.info(
            "request",
            method=request.method,
            route=str(request.url_rule) if request.url_rule else None,
            status=response.status_code,
            ms=round((time.perf_counter() - g.began_at) * 1000, 1),
        )
    return response


def _end(_error: BaseException | None) -> None:
    if (guard := g.pop("reading_only", None)) is not None:
        guard.__exit__(None, None, None)
    if (token := g.pop("request_id_token", None)) is not None:
        context.request_id.reset(token)
