"""What the pages of second factors share."""

from __future__ import annotations

from flask import Blueprint, current_app, url_for
from flask_login import current_user

from advancia.core.db import db
from advancia.core.encryption import Keyring
from advancia.identity.factors import queries
from advancia.identity.factors.services.webauthn import Site

bp = Blueprint("factors", __name__)


def keyring() -> Keyring:
    found: Keyring = current_app.extensions["keyring"]
    return found


def site() -> Site:
    """Who we are to browsers that keep passkeys for us."""
    return Site.of(current_app.extensions["settings"].public_url)


def next_step() -> str:
    """Where to go once a factor is set up: first to recovery codes, if there are none."""
    recovery = queries.factors_of(db.session(), current_user.id).recovery
    return url_for(".security" if recovery.left else ".recovery_codes")
