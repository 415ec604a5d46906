"""Signing in with a passkey alone: it proves what somebody has and who they are, so nothing else is asked for."""

from __future__ import annotations

from flask import flash, jsonify, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from advancia.core.db import unit_of_work
from advancia.identity import visitor
from advancia.identity.factors.forms import PasskeySignInForm
from advancia.identity.factors.services import account, passkeys
from advancia.identity.factors.views.shared import bp, site
from advancia.identity.sessions.tokens import new_token
from advancia.web.access import home_url, is_ours, public
from advancia.web.csrf import checked_by_its_form
from advancia.web.htmx import see_other
from advancia.web.limits import limiter

FLOW = "passkey_sign_in"  # in the cookie: which browser asked for the challenge
REFUSED = (
    "That passkey was not accepted: it may have been removed from your account. Sign in with your password."
)


@bp.post("/login/passkey/challenge")
@public
@limiter.limit("60 per minute")
def passkey_challenge() -> ResponseReturnValue:
    """What the browser is asked to sign; for the script on the page."""
    cookie[FLOW] = new_token()
    with unit_of_work() as session:
        options = passkeys.begin_proof(session, user_id=None, bound_to=_flow(), site=site())
    return jsonify(options)


@bp.post("/login/passkey")
@public
@checked_by_its_form
@limiter.limit("60 per minute")
def sign_in_with_passkey() -> ResponseReturnValue:
    form = PasskeySignInForm()
    token = _signed_in(form) if form.validate_on_submit() and FLOW in cookie else None
    if token is None:
        flash(REFUSED, "error")
        return see_other(url_for("identity.login", next=form.next.data or None))
    visitor.adopt(token)
    return see_other(form.next.data if form.next.data and is_ours(form.next.data) else home_url())


def _signed_in(form: PasskeySignInForm) -> str | None:
    """A new session of whoever the passkey belongs to, if their account is open."""
    with unit_of_work() as session:
        user_id = passkeys.accept(
            session, user_id=None, bound_to=_flow(), answer=form.credential.data or "", site=site()
        )
        if user_id is None or not account.is_open(session, user_id):
            return None
        return visitor.start(session, user_id=user_id, second_factor=True, password=False)


def _flow() -> str:
    return f"sign-in:{cookie[FLOW]}"
