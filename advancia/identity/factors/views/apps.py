"""Pages where a person sets up an authenticator app, sets up another in its place, or removes it."""

from __future__ import annotations

import segno
from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.errors import DomainError
from advancia.identity import visitor
from advancia.identity.factors import queries
from advancia.identity.factors.errors import NotSetUp
from advancia.identity.factors.forms import AppForm
from advancia.identity.factors.services import apps, totp
from advancia.identity.factors.services.apps import Draft
from advancia.identity.factors.views.shared import bp, keyring, next_step
from advancia.identity.sessions import services as sessions
from advancia.web.access import current_actor, fully_confirmed, signed_in
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other
from advancia.web.limits import limiter

WRONG = "That code is not right. Check that the app shows “Advancia” and that your phone's clock is right."
READY = "Your authenticator app is set up. From now on we ask for a code when you sign in."
REMOVED = "Your authenticator app is removed. Delete the entry in the app as well."
GROUP = 4


@bp.get("/settings/security/app")
@signed_in
@fully_confirmed
def app() -> ResponseReturnValue:
    return _page(AppForm())


@bp.post("/settings/security/app")
@signed_in
@fully_confirmed
@limiter.limit("30 per hour")
def begin_app() -> ResponseReturnValue:
    with unit_of_work() as session:
        apps.begin(session, user_id=current_user.id, session_id=current_user.session_id, keyring=keyring())
    return see_other(url_for(".app"))


@bp.post("/settings/security/app/code")
@signed_in
@fully_confirmed
@checked_by_its_form
@limiter.limit("60 per hour")
def confirm_app() -> ResponseReturnValue:
    form = AppForm()
    if not form.validate_on_submit():
        return _page(form, status=422)
    try:
        token = _confirmed(entered(form.code))
    except NotSetUp as refusal:
        flash(str(refusal), "info")
        return see_other(url_for(".app"))
    if token is None:
        form.refuse(form.code, WRONG)
        return _page(form, status=422)
    visitor.go_on_by(token)
    flash(READY, "success")
    return see_other(next_step())


@bp.get("/settings/security/app/removal")
@signed_in
@fully_confirmed
def app_removal() -> ResponseReturnValue:
    factors = queries.factors_of(db.session(), current_user.id)
    if factors.app is None:
        return see_other(url_for(".security"))
    return render("factors/remove_app.html", factors=factors)


@bp.post("/settings/security/app/removal")
@signed_in
@fully_confirmed
def remove_app() -> ResponseReturnValue:
    try:
        with unit_of_work() as session:
            apps.remove(session, actor=current_actor(), session_id=current_user.session_id)
    except DomainError as refusal:
        flash(str(refusal), "error")
        return see_other(url_for(".security"))
    flash(REMOVED, "success")
    return see_other(url_for(".security"))


def _confirmed(code: str) -> str | None:
    """Let the app count by its first code; the session's new token, or `None` if the code is wrong."""
    with unit_of_work() as session:
        right = apps.confirm(
            session,
            actor=current_actor(),
            session_id=current_user.session_id,
            code=code,
            keyring=keyring(),
            at=utcnow(),
        )
        if not right:
            return None
        return sessions.renew(session, session_id=current_user.session_id, second_factor=True)


def _page(form: AppForm, status: int = 200) -> Response:
    draft = apps.draft_of(
        db.session(), user_id=current_user.id, session_id=current_user.session_id, keyring=keyring()
    )
    replaces = queries.factors_of(db.session(), current_user.id).app is not None
    shown = _shown(draft) if draft else {}
    return render("factors/app.html", status=status, form=form, replaces=replaces, draft=draft, **shown)


def _shown(draft: Draft) -> dict[str, str]:
    """The secret in the forms in which an app can take it."""
    text, address = totp.as_text(draft.secret), totp.address(draft.secret, email=current_user.email)
    grouped = " ".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))
    drawn = segno.make(address, error="m").svg_inline(
        dark="#000", light="#fff", border=3, omitsize=True, svgclass="qr", lineclass=None
    )
    return {"grouped": grouped, "address": address, "qr": Markup(drawn)}  # noqa: S704 - drawn by the library
