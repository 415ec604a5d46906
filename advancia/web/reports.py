"""Where browsers tell what a policy of ours kept them from doing: a page that is broken, or somebody at work.

Anybody can send anything here. So little is taken, less is written down, and nothing of what is written can name a
person: no address of a page but its route, no query, no sample of a script.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from advancia.core import log
from advancia.core.addresses import counted_as, urlsplit_safely
from advancia.web.access import machine
from advancia.web.bodies import takes_at_most
from advancia.web.limits import limiter

bp = Blueprint("reports", __name__)

PATH = "/reports"
GROUP = "shell"  # what policies call the endpoint by
LARGEST_REPORT = 16 * 1024
MOST_REPORTS = 10  # of one request; browsers send what they have gathered in a few seconds
LONGEST_WORD = 120
OLD, NEW = "application/csp-report", "application/reports+json"

# Extensions and other guests in the person's browser: nothing of ours is broken, and which they have is their own.
NOISE = {
    "about", "blob", "chrome", "chrome-extension", "moz-extension", "ms-browser-extension", "resource",
    "safari-extension", "safari-web-extension", "webkit-masked-url",
}  # fmt: skip

_log = log.logger(__name__)


@bp.post(PATH)
@machine
@takes_at_most(LARGEST_REPORT)
@limiter.limit("30 per minute", key_func=lambda: f"reports:{counted_as(request.remote_addr)}")
@limiter.limit("600 per hour", key_func=lambda: "reports")
def receive() -> ResponseReturnValue:
    for report in list(_reports())[:MOST_REPORTS]:
        if (told := summary(report)) is not None:
            _log.warning("policy_violated", **told)
    return Response(status=204)


def summary(report: dict[str, Any]) -> dict[str, Any] | None:
    """What is worth writing down of a report, or `None` if it is about a guest in the person's browser."""
    blocked, source = _text(report, "blockedURL", "blocked-uri"), _text(report, "sourceFile", "source-file")
    if any(urlsplit_safely(url).scheme in NOISE or url in NOISE for url in (blocked, source)):
        return None
    return {
        "kind": _text(report, "type")[:LONGEST_WORD] or "csp-violation",
        "directive": _directive(report),
        "blocked": _origin(blocked),
        "page": _route_of(_text(report, "documentURL", "document-uri", "url")),
        "source": _origin(source),
        "line": _number(report, "lineNumber", "line-number"),
        "disposition": _text(report, "disposition")[:LONGEST_WORD],
    }


def _reports() -> Iterator[dict[str, Any]]:
    """Each report as one flat object, in either of the two forms that browsers send."""
    if request.mimetype not in (OLD, NEW):
        abort(415)
    try:
        sent = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        abort(400)
    if request.mimetype == OLD and isinstance(sent, dict) and isinstance(sent.get("csp-report"), dict):
        yield sent["csp-report"]
    elif request.mimetype == NEW and isinstance(sent, list):
        for each in sent:
            if isinstance(each, dict) and isinstance(each.get("body"), dict):
                yield {**each["body"], "type": each.get("type"), "url": each.get("url")}
    else:
        abort(400)


def _text(report: dict[str, Any], *names: str) -> str:
    """The first of `names` that the report has a text for; control characters are cut."""
    found = next((report[name] for name in names if isinstance(report.get(name), str)), "")
    return "".join(char for char in found if char.isprintable())


def _directive(report: dict[str, Any]) -> str:
    named = _text(report, "effectiveDirective", "effective-directive", "violated-directive")
    return named.partition(" ")[0][:LONGEST_WORD]


def _number(report: dict[str, Any], *names: str) -> int | None:
    found = next((report[name] for name in names if isinstance(report.get(name), int)), None)
    return found if found is not None and 0 <= found < 10**6 else None


def _origin(url: str) -> str:
    """Scheme and host of an address; a bare word, such as `inline`, stays as it is."""
    parts = urlsplit_safely(url)
    if parts.netloc:
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:LONGEST_WORD]
    return (parts.scheme or url.partition("?")[0])[:LONGEST_WORD]


def _route_of(url: str) -> str | None:
    """The route of a page of ours, without what stands in its variables: there are tokens in some."""
    path = urlsplit_safely(url).path
    try:
        rule, _ = current_app.create_url_adapter(request).match(path, "GET", return_rule=True)  # type: ignore[union-attr]
    except HTTPException:
        return None
    return str(rule)
