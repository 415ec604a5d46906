"""What programs look for at agreed places: whom to tell of a hole (RFC 9116), and where a password is changed."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, current_app, redirect, url_for
from flask.typing import ResponseReturnValue

from advancia.core.clock import utcnow
from advancia.web.access import public

bp = Blueprint("well_known", __name__, url_prefix="/.well-known")

VALID_FOR = timedelta(days=180)  # the RFC recommends less than a year
CHANGE_PASSWORD = "recovery.password"  # noqa: S105 - the name of a page


@bp.get("/security.txt")
@public
def security_txt() -> ResponseReturnValue:
    settings = current_app.extensions["settings"]
    expires = (utcnow() + VALID_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = (
        f"Contact: {settings.security_contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Canonical: {settings.public_url}{url_for('.security_txt')}",
    )
    return Response("".join(f"{line}\n" for line in lines), mimetype="text/plain")


@bp.get("/change-password")
@public
def change_password() -> ResponseReturnValue:
    """Password managers lead people here; see the W3C's "well-known URL for changing passwords"."""
    return redirect(url_for(CHANGE_PASSWORD), code=303)
