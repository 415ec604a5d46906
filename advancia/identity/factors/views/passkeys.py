"""Pages where a person adds, names and revokes passkeys."""

from __future__ import annotations

from uuid import UUID

from flask import Response, flash, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import db, unit_of_work
from advancia.identity import visitor
from advancia.identity.factors import queries
from advancia.identity.factors.errors import PasskeyRefused, PasswordTooShort, StaffNeedsFactor
from advancia.identity.factors.forms import NameForm, NewPasskeyForm
from advancia.identity.factors.queries import PasskeyView
from advancia.identity.factors.services import passkeys
from advancia.identity.factors.views.shared import bp, next_step, site
from advancia.identity.sessions import browsers
from advancia.identity.sessions import services as sessions
from advancia.web.access import current_actor, fully_confirmed, signed_in
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other
from advancia.web.limits import limiter

ADDED = "The passkey is added. You can sign in with it from now on, also without the password."


@bp.get("/settings/security/passkeys/new")
@signed_in
@fully_confirmed
def new_passkey() -> ResponseReturnValue:
    return _new_page(NewPasskeyForm(data={"name": browsers.in_words(request.user_agent.string)}))


@bp.post("/settings/security/passkeys/challenge")
@signed_in
@fully_confirmed
@limiter.limit("60 per hour")
def passkey_registration() -> ResponseReturnValue:
    """What the browser is asked to make; for the script on the page."""
    with unit_of_work() as session:
        options = passkeys.begin_registration(
            session, user_id=current_user.id, bound_to=_registration(), site=site()
        )
    return jsonify(options)


@bp.post("/settings/security/passkeys")
@signed_in
@fully_confirmed
@checked_by_its_form
@limiter.limit("60 per hour")
def create_passkey() -> ResponseReturnValue:
    form = NewPasskeyForm()
    if not form.validate_on_submit():
        return _new_page(form, status=422)
    try:
        token = _register(form)
    except PasskeyRefused as refusal:
        form.form_errors.append(str(refusal))
        return _new_page(form, status=422)
    visitor.go_on_by(token)
    flash(ADDED, "success")
    return see_other(next_step())


@bp.get("/settings/security/passkeys/<uuid:passkey_id>")
@signed_in
def passkey(passkey_id: UUID) -> ResponseReturnValue:
    found = _own(passkey_id)
    return _passkey_page(NameForm(data={"name": found.name}), found)


@bp.post("/settings/security/passkeys/<uuid:passkey_id>")
@signed_in
def rename_passkey(passkey_id: UUID) -> ResponseReturnValue:
    found, form = _own(passkey_id), NameForm()
    if not form.validate_on_submit():
        return _passkey_page(form, found, status=422)
    with unit_of_work() as session:
        passkeys.rename(session, actor=current_actor(), passkey_id=passkey_id, name=entered(form.name))
    flash("The name is saved.", "success")
    return see_other(url_for(".security"))


@bp.get("/settings/security/passkeys/<uuid:passkey_id>/removal")
@signed_in
@fully_confirmed
def passkey_removal(passkey_id: UUID) -> ResponseReturnValue:
    factors = queries.factors_of(db.session(), current_user.id)
    return render("factors/remove_passkey.html", passkey=_own(passkey_id), factors=factors)


@bp.post("/settings/security/passkeys/<uuid:passkey_id>/removal")
@signed_in
@fully_confirmed
def revoke_passkey(passkey_id: UUID) -> ResponseReturnValue:
    try:
        with unit_of_work() as session:
            passkeys.revoke(
                session,
                actor=current_actor(),
                session_id=current_user.session_id,
                passkey_id=passkey_id,
            )
    except (StaffNeedsFactor, PasswordTooShort) as refusal:
        flash(str(refusal), "error")
        return see_other(url_for(".security"))
    flash("The passkey is removed. Delete it in your device or password manager as well.", "success")
    return see_other(url_for(".security"))


def _register(form: NewPasskeyForm) -> str:
    """Add what the browser has made, and return the session's new token."""
    with unit_of_work() as session:
        passkeys.register(
            session,
            actor=current_actor(),
            session_id=current_user.session_id,
            bound_to=_registration(),
            answer=form.credential.data or "",
            name=entered(form.name),
            site=site(),
        )
        return sessions.renew(session, session_id=current_user.session_id, second_factor=True)


def _registration() -> str:
    """The flow that the challenge belongs to: adding a passkey in this session."""
    return f"registration:{current_user.session_id}"


def _own(passkey_id: UUID) -> PasskeyView:
    return queries.passkey_of(db.session(), current_user.id, passkey_id)


def _new_page(form: NewPasskeyForm, status: int = 200) -> Response:
    return render("factors/new_passkey.html", status=status, form=form)


def _passkey_page(form: NameForm, found: PasskeyView, status: int = 200) -> Response:
    return render("factors/passkey.html", status=status, form=form, passkey=found)
