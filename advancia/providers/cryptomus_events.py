"""Cryptomus's webhooks: whether one is theirs, and what it speaks of.

The signature is part of the body: `md5(base64(text) + key)` over the body without it, as PHP would write it. MD5 is
the provider's choice and the one place where we use it; to forge it still takes the key. Nothing that is signed
carries a time, so an old event verifies for ever: events are told apart by what they say, money moves only on what
the provider says when it is asked again, and the address that they come from is checked besides.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from advancia.providers import php_json
from advancia.providers.errors import BadSignature, MalformedEvent

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_WORD = re.compile(r"[a-z0-9_]{1,40}")
# What the order of a test webhook is called, so that it is not taken for news of a payment.
ROUND_TRIP = "round-trip-"


@dataclass(frozen=True)
class CryptoEvent:
    """A verified event. `id` is the same for the same news, however often it is sent."""

    id: str
    type: str  # such as `payment.paid`; `test.payment.paid` for one that we have asked for to see it arrive
    object_id: str
    order_id: str | None
    data: Mapping[str, Any]


def signature(text: str, key: str) -> str:
    """What Cryptomus puts beside a text, in requests and webhooks alike."""
    encoded = base64.b64encode(text.encode())
    return hashlib.md5(encoded + key.encode(), usedforsecurity=False).hexdigest()


def comes_from(address: str | None, allowed: Sequence[str]) -> bool:
    """Whether the address is one, or within a network, of the allowed ones; nobody is when none is allowed."""
    try:
        came_from = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(came_from, "ipv4_mapped", None) or came_from
    return any(mapped in ipaddress.ip_network(each, strict=False) for each in allowed)


def verify_event(raw: bytes, *, keys: Sequence[str]) -> CryptoEvent:
    """Check the signature in the body against every key and read the event.

    Raises `BadSignature` for what is forged, altered or unsigned, `MalformedEvent` for what is signed but no event.
    """
    try:
        body = php_json.decoded(raw)
    except ValueError:
        raise BadSignature("The body is not JSON.") from None
    if not isinstance(body, dict) or type(body.get("sign")) is not str:
        raise BadSignature("The body carries no signature.")
    signed = {name: value for name, value in body.items() if name != "sign"}
    if not _signed_with_any(signed, body["sign"], keys):
        raise BadSignature("The signature is not ours.")
    return _event(signed)


def _signed_with_any(signed: dict[str, Any], offered: str, keys: Sequence[str]) -> bool:
    try:
        text = php_json.encoded(signed)
        text.encode()
    except (RecursionError, UnicodeError):
        return False
    matches = False
    for key in filter(None, keys):  # an empty key would let everybody sign
        matches |= hmac.compare_digest(signature(text, key).encode(), offered.encode())
    return matches


def _event(body: dict[str, Any]) -> CryptoEvent:
    kind, status, uuid = body.get("type", "payment"), body.get("status"), body.get("uuid")
    if not (_matches(_WORD, kind) and _matches(_WORD, status) and _matches(_ID, uuid)):
        raise MalformedEvent("The body is not an event.")
    txid, order_id = body.get("txid"), body.get("order_id")
    if _matches(_ID, order_id) and str(order_id).startswith(ROUND_TRIP):
        return CryptoEvent(
            f"{order_id}:{status}", f"test.{kind}.{status}", str(order_id), str(order_id), body
        )
    return CryptoEvent(
        id=f"{uuid}:{status}" + (f":{_digest(txid)}" if txid else ""),
        type=f"{kind}.{status}",
        object_id=str(uuid),
        order_id=order_id if isinstance(order_id, str) else None,
        data=body,
    )


def _digest(txid: Any) -> str:
    return hashlib.sha256(php_json.encoded(txid).encode()).hexdigest()[:16]


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return (
        type(value) is str and pattern.fullmatch(value) is not None
    )  # a number is written as a text as well
