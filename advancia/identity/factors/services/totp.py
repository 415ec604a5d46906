"""One-time codes after RFC 6238: SHA-1, a new one every 30 seconds, one step early or late allowed."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime

import pyotp

DIGITS = 6
STEP_SECONDS = 30
STEPS_OFF = 1
SECRET_BYTES = 20  # RFC 4226 recommends 160 bits
ISSUER = "Advancia"


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def matching_step(secret: bytes, code: str, *, at: datetime, digits: int = DIGITS) -> int | None:
    """The time step that `code` belongs to, if it is a right one at that moment, give or take a step."""
    generator = pyotp.TOTP(as_text(secret), digits=digits, interval=STEP_SECONDS)
    now = _step_at(at)
    found = None
    for step in range(max(0, now - STEPS_OFF), now + STEPS_OFF + 1):
        if hmac.compare_digest(generator.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def code(secret: bytes, *, at: datetime) -> str:
    """The code of that moment, as an app would show it."""
    return pyotp.TOTP(as_text(secret), digits=DIGITS, interval=STEP_SECONDS).generate_otp(_step_at(at))


def as_text(secret: bytes) -> str:
    """The secret as apps take it when it is typed: base32, without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def address(secret: bytes, *, email: str) -> str:
    """The `otpauth://` address that a QR code holds."""
    return pyotp.TOTP(as_text(secret), digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(
        name=email, issuer_name=ISSUER
    )


def _step_at(moment: datetime) -> int:
    return int(moment.timestamp()) // STEP_SECONDS
