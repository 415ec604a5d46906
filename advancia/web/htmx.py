"""One URL, one template: a whole page, or only the block that htmx asked for.

Stands between us and `htmx-flask`, which predates htmx 4: there `HX-Target` reads `tag#id`, and
`HX-Request-Type` tells whether a part or a page is wanted.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, current_app, make_response, redirect, render_template
from flask.typing import ResponseReturnValue
from htmx_flask import Htmx, request
from jinja2_fragments.flask import render_block
from werkzeug.urls import iri_to_uri

VARY_ON = ("HX-Request", "HX-Request-Type", "HX-Target")
ALERTS = "#alerts"  # the place in the layout where messages for htmx requests are put


def init_app(app: Flask) -> None:
    Htmx(app)
    app.after_request(_vary)


def is_htmx() -> bool:
    """Whether htmx sent this request, rather than the browser itself."""
    return bool(request.htmx)


def targeted_id() -> str | None:
    """The id of the element that htmx wants to swap, when it asked for a part of a page."""
    if request.headers.get("HX-Request-Type") != "partial":
        return None
    _tag, _hash, element_id = (request.headers.get("HX-Target") or "").partition("#")
    return element_id or None


def render(template: str, *, status: int = 200, **context: Any) -> Response:
    """The page, or only the block named like the element that htmx targets (`#send-form` is `send_form`)."""
    block = (targeted_id() or "").replace("-", "_")
    if block and block in current_app.jinja_env.get_template(template).blocks:
        return make_response(render_block(template, block, **context), status)
    return make_response(render_template(template, **context), status)


def see_other(url: str) -> ResponseReturnValue:
    """Send the browser to `url` by GET: a 303, or what makes htmx load a whole page."""
    if is_htmx():
        return Response(status=204, headers={"HX-Redirect": iri_to_uri(url)})
    return redirect(url, code=303)


def unchanged(tag: str) -> Response | None:
    """304 when the polling element already shows what `tag` stands for, else `None`."""
    if request.headers.get("HX-PTag") == tag:
        return Response(status=304)
    return None


def tagged(response: Response, tag: str) -> Response:
    """Give the polling element the tag of what it now shows."""
    response.headers["HX-PTag"] = tag
    return response


def alert(response: Response) -> Response:
    """Have htmx show the response in the page's place for messages, whatever it wanted to swap."""
    response.headers["HX-Retarget"] = ALERTS
    response.headers["HX-Reswap"] = "innerHTML"
    return response


def _vary(response: Response) -> Response:
    response.vary.update(VARY_ON)
    return response
