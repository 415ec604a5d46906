"""Where providers knock. The raw body is verified before anything reads it; then stored, then answered."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from advancia.core import log
from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.providers import cryptomus_events
from advancia.providers.cryptomus import callback_keys_from
from advancia.providers.errors import BadSignature, MalformedEvent
from advancia.providers.stripe import SIGNATURE_HEADER, verify_event, webhook_secrets_from
from advancia.web.access import machine
from advancia.web.bodies import takes_at_most
from advancia.web.limits import limiter
from advancia.webhooks import services
from advancia.webhooks.services import Arrived

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")

LONGEST_BODY = 512 * 1024
# The simulation runs on this machine.
SIMULATION = ("127.0.0.0/8", "::1")

_log = log.logger(__name__)


@bp.post("/stripe")
@machine
@takes_at_most(LONGEST_BODY)
@limiter.exempt
def stripe() -> ResponseReturnValue:
    body, secrets = request.get_data(cache=False), webhook_secrets_from(current_app.extensions["settings"])
    try:
        event = verify_event(body, request.headers.get(SIGNATURE_HEADER, ""), secrets=secrets, now=utcnow())
    except (BadSignature, MalformedEvent) as refusal:
        return _refuse("stripe", refusal)
    arrived = Arrived(
        provider=current_app.extensions["gateway"].name,
        event_id=event.id,
        kind=event.type,
        object_id=event.object_id,
        verification="signed within five minutes",
    )
    return _take_in(arrived, body)


@bp.post("/cryptomus")
@machine
@takes_at_most(LONGEST_BODY)
@limiter.exempt
def cryptomus() -> ResponseReturnValue:
    body, settings = request.get_data(cache=False), current_app.extensions["settings"]
    gateway = current_app.extensions["crypto_gateway"]
    try:
        _check_address("sandbox" if gateway is None or gateway.name != "cryptomus" else "cryptomus")
        event = cryptomus_events.verify_event(body, keys=callback_keys_from(settings))
    except (BadSignature, MalformedEvent) as refusal:
        return _refuse("cryptomus", refusal)
    arrived = Arrived(
        provider=gateway.name if gateway else "cryptomus",
        event_id=event.id,
        kind=event.type,
        object_id=event.object_id,
        verification=f"signed, from {request.remote_addr}",
    )
    return _take_in(arrived, body)


def _check_address(provider: str) -> None:
    """Raises `BadSignature` for a sender that is not on the list: what it has signed may be an old event of theirs."""
    allowed = current_app.extensions["settings"].cryptomus_allowed_addresses
    if not cryptomus_events.comes_from(request.remote_addr, SIMULATION if provider == "sandbox" else allowed):
        raise BadSignature("The sender's address is not on the list.")


def _take_in(event: Arrived, body: bytes) -> Response:
    with unit_of_work() as session:
        new = services.receive(session, event=event, body=body, headers=dict(request.headers))
    return _plain(200, "stored" if new else "known")


def _refuse(provider: str, refusal: Exception) -> Response:
    _log.warning("webhook_refused", provider=provider, reason=str(refusal), address=request.remote_addr)
    return _plain(400, "refused")


def _plain(status: int, words: str) -> Response:
    return Response(words, status=status, mimetype="text/plain")
