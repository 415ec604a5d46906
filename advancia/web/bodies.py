"""How much a request may bring: so many bytes by the kind of its route, and so many fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import Flask, abort, current_app, request

from advancia.web.access import View

LARGEST_FORM = 64 * 1024  # bytes, unless the route says otherwise
MOST_FIELDS = 100


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_FORM
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_FORM
    app.config["MAX_FORM_PARTS"] = MOST_FIELDS
    app.before_request(_set_limit)
    app.before_request(_count_fields)


def takes_at_most(size: int) -> Callable[[View], View]:
    """Let the route's requests bring `size` bytes instead of what a form may."""

    def declare(view: View) -> View:
        view.largest_body = size  # type: ignore[attr-defined]
        return view

    return declare


def _set_limit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if (size := cast("int | None", getattr(view, "largest_body", None))) is not None:
        request.max_content_length = size


def _count_fields() -> None:
    """Refuse more fields than any form has. Reading them is where a body beyond the limit is refused, too."""
    if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return
    if sum(map(len, (values for _, values in request.form.lists()))) > MOST_FIELDS:
        abort(413)
