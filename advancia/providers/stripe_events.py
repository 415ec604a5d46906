"""Stripe's signed events: whether one is theirs, whether it is fresh, and what it speaks of.

The scheme is implemented here rather than taken from Stripe's library, which reads the machine's own clock,
accepts any time in the future, and answers some garbage with errors of other kinds. The tests hold it against
the library's generator.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from advancia.providers.errors import BadSignature, MalformedEvent

# Pinned, so that an upgrade of the library alone never changes what we are sent.
API_VERSION = "2026-10-28.endive"
# The kinds of events that our endpoint is to be subscribed to.
ENABLED_EVENTS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "payout.paid",
    "payout.failed",
)
SIGNATURE_HEADER = "Stripe-Signature"
TOLERANCE_SECONDS = 300

# ASCII only: `\d` and int() would accept the digits of every alphabet, signs and underscores.
_SECONDS = re.compile(r"[0-9]{1,11}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TYPE = re.compile(r"[a-z0-9_.]{1,100}")
_LONGEST_HEADER = 4096


@dataclass(frozen=True)
class Event:
    """A verified event. What it means is what the provider says when asked again, not what `data` says."""

    id: str
    type: str
    created: datetime
    object_id: str | None
    object_type: str
    data: Mapping[str, Any]

    @property
    def object(self) -> Mapping[str, Any]:
        """The thing that the event speaks of, as it was when the event was made."""
        inner: Mapping[str, Any] = self.data["object"]
        return inner

    @property
    def deposit_id(self) -> UUID | None:
        """The deposit that we wrote into the checkout's and its payment's metadata."""
        return deposit_id_in(self.object.get("metadata"))


def verify_event(
    raw: bytes,
    signature_header: str,
    *,
    secrets: Sequence[str],
    now: datetime,
    tolerance: int = TOLERANCE_SECONDS,
) -> Event:
    """Check the signature of the raw body against every secret (several while they are rotated) and read it.

    `tolerance` is in seconds, to both sides of `now`. Raises `BadSignature` for what is forged, altered,
    stale, from the future or unsigned, and `MalformedEvent` for what is signed but no event.
    """
    signed_at, signatures = _parsed(signature_header)
    if not _signed_with_any(raw, signed_at, signatures, secrets):
        raise BadSignature("The signature is not ours.")
    if abs(now.timestamp() - int(signed_at)) > tolerance:
        raise BadSignature(f"The signature is more than {tolerance} seconds away from now.")
    return read_event(raw)


def deposit_id_in(metadata: object) -> UUID | None:
    """The deposit named in a Stripe object's metadata, if it names one."""
    named = metadata.get("deposit_id") if isinstance(metadata, Mapping) else None
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None


def _parsed(header: str) -> tuple[str, list[str]]:
    if len(header) > _LONGEST_HEADER:
        raise BadSignature("The signature header is too long.")
    items = [item.strip().partition("=") for item in header.split(",")]
    times = [value for name, _, value in items if name == "t"]
    signatures = [value for name, _, value in items if name == "v1" and _SIGNATURE.fullmatch(value)]
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]) or not signatures:
        raise BadSignature("The signature header is not of the form t=…,v1=….")
    return times[0], signatures


def _signed_with_any(raw: bytes, signed_at: str, signatures: Sequence[str], secrets: Sequence[str]) -> bool:
    matches = False
    for secret in filter(None, secrets):  # an empty secret would let everybody sign
        expected = hmac.new(secret.encode(), signed_at.encode() + b"." + raw, hashlib.sha256).hexdigest()
        for signature in signatures:
            matches |= hmac.compare_digest(expected, signature)
    return matches


def read_event(raw: bytes) -> Event:
    """Read an event whose signature was verified. Raises `MalformedEvent`."""
    try:
        body = json.loads(raw)
        event = _thin_event(body) if str(body.get("object")).startswith("v2.") else _full_event(body)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedEvent("The body is not an event.") from error
    return event


def _full_event(body: Mapping[str, Any]) -> Event:
    about = body["data"]["object"]
    if body.get("object") != "event":
        raise ValueError(body.get("object"))
    return Event(
        id=_matching(_ID, body["id"]),
        type=_matching(_TYPE, body["type"]),
        created=_moment(body["created"]),
        object_id=_matching(_ID, about["id"]) if "id" in about else None,  # a balance has none
        object_type=_matching(_TYPE, about["object"]),
        data=body["data"],
    )


def _thin_event(body: Mapping[str, Any]) -> Event:
    """An event of the newer interface, which names the object and does not show it."""
    about = body.get("related_object") or {}
    return Event(
        id=_matching(_ID, body["id"]),
        type=_matching(_TYPE, body["type"]),
        created=datetime.fromisoformat(body["created"]),
        object_id=_matching(_ID, about["id"]) if "id" in about else None,
        object_type=_matching(_TYPE, about.get("type", "none")),
        data={"object": {}},
    )


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(value)
    return value


def _moment(seconds: Any) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise TypeError(seconds)
    return datetime.fromtimestamp(seconds, UTC)
