"""What the pages of second factors share."""

from __future__ import annotations

from flask import Blueprint, current_app

from advancia.core.encryption import Keyring

bp = Blueprint("factors", __name__)


def keyring() -> Keyring:
    found: Keyring = current_app.extensions["keyring"]
    return found


def secret_key() -> str:
    """The secret that recovery codes are hashed with."""
    key: str = current_app.secret_key  # type: ignore[assignment]
    return key
