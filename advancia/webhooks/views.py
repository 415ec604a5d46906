"""Where providers knock. The raw body is verified before anything reads it; then stored, then answered."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from advancia.core import log
from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.providers.stripe import (
    SIGNATURE_HEADER,
    BadSignature,
    MalformedEvent,
    verify_event,
    webhook_secrets_from,
)
from advancia.web.access import machine
from advancia.web.bodies import takes_at_most
from advancia.web.limits import limiter
from advancia.webhooks import services

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")

LONGEST_BODY = 512 * 1024

_log = log.logger(__name__)


@bp.post("/stripe")
@machine
@takes_at_most(LONGEST_BODY)
@limiter.exempt
def stripe() -> ResponseReturnValue:
    body = request.get_data(cache=False)
    try:
        event = verify_event(
            body,
            request.headers.get(SIGNATURE_HEADER, ""),
            secrets=webhook_secrets_from(current_app.extensions["settings"]),
            now=utcnow(),
        )
    except (BadSignature, MalformedEvent) as refusal:
        _log.warning("webhook_refused", provider="stripe", reason=str(refusal), address=request.remote_addr)
        return _plain(400, "refused")
    with unit_of_work() as session:
        new = services.receive(
            session,
            provider=current_app.extensions["gateway"].name,
            event=event,
            body=body,
            headers=dict(request.headers),
        )
    return _plain(200, "stored" if new else "known")


def _plain(status: int, words: str) -> Response:
    return Response(words, status=status, mimetype="text/plain")
