"""Pages of second factors, and the ones where a person proves who they are."""

from advancia.identity.factors.views import (
    apps,
    confirm,
    passkey_sign_in,
    passkeys,
    recovery_codes,
    second_factor,
    security,
)
from advancia.identity.factors.views.shared import bp

__all__ = [
    "apps",
    "bp",
    "confirm",
    "passkey_sign_in",
    "passkeys",
    "recovery_codes",
    "second_factor",
    "security",
]
