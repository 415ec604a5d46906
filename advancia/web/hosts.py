"""The names we answer to. A request for any other is refused before anything reads it.

Links in mails are built from `PUBLIC_URL` alone; this keeps a forged `Host` also out of redirects, out of caches that
stand before us, and out of a browser which was led here under somebody else's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from advancia.config import Settings
from advancia.core import log

# Probes call a process by its own address, which no setting knows; what they are told is the same for everybody.
ASKED_BY_PROBES = ("ops.health", "ops.api_health")

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")

_log = log.logger(__name__)


def init_app(app: Flask, settings: Settings) -> None:
    names = known_names(settings)

    def refuse_strange_hosts() -> ResponseReturnValue | None:
        if request.endpoint in ASKED_BY_PROBES or is_known(request.host, names, near=settings.is_dev):
            return None
        _log.warning("strange_host", host=request.host[:100], address=request.remote_addr)
        words = f"This is not an address of ours. Open {settings.public_url} instead.\n"
        return Response(words, status=400, mimetype="text/plain", headers={"Cache-Control": "no-store"})

    app.before_request(refuse_strange_hosts)


def known_names(settings: Settings) -> frozenset[str]:
    """The name in `PUBLIC_URL`, and those of `TRUSTED_HOSTS`, in lower case and without their ports."""
    own = urlsplit(settings.public_url).hostname or ""
    return frozenset({own.lower(), *settings.trusted_hosts})


def is_known(host: str, names: Collection[str], *, near: bool) -> bool:
    """Whether `host`, as a request names it, is one of `names`, on any port.

    In development (`near`) this machine's own names do as well, and addresses by number, which nobody else can have
    a name point at.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].lower()
    return name in names or (near and (name == "localhost" or _is_number(name)))


def _is_number(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
