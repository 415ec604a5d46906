"""Pages where a person changes their password, or gets a link to set a new one."""

from __future__ import annotations

from flask import Response, current_app, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import db, unit_of_work
from advancia.core.errors import LimitReached
from advancia.identity import visitor
from advancia.identity.errors import LinkIsDead, WrongPassword
from advancia.identity.models import User
from advancia.identity.recovery import credentials, known_password, password_change, password_reset
from advancia.identity.recovery.blueprint import bp
from advancia.identity.recovery.forms import ChangePasswordForm, ForgottenPasswordForm, NewPasswordForm
from advancia.identity.services import passwords
from advancia.identity.services.password_rules import Owner
from advancia.web.access import (
    actor_here,
    ask_to_confirm,
    current_actor,
    public,
    recently_confirmed,
    signed_in,
)
from advancia.web.csrf import asked_by_a_field, checked_by_its_form
from advancia.web.forms import cleaned, entered
from advancia.web.htmx import render, see_other
from advancia.web.limits import come_back, limiter

LONGEST_OWN_WORDS = 300  # of a name or an address that a form is being filled in with
CHANGED = "Your password is changed, and you are signed out everywhere else."
RESET = "Your password is changed, and all sessions have ended. Sign in with the new one."


@bp.get("/settings/password")
@signed_in
def password() -> ResponseReturnValue:
    if current_user.has_second_factor and not recently_confirmed():
        return ask_to_confirm()
    return _change_page(ChangePasswordForm(_owner_here()))


@bp.post("/settings/password")
@signed_in
@checked_by_its_form
def change_password() -> ResponseReturnValue:
    if current_user.has_second_factor and not recently_confirmed():
        return ask_to_confirm()
    form = ChangePasswordForm(_owner_here())
    if not form.validate_on_submit():
        return _change_page(form, status=422)
    try:
        known_password.check(current_user.email, entered(form.current))
    except WrongPassword as refusal:
        form.refuse(form.current, str(refusal))
        return _change_page(form, status=422)
    except LimitReached as refusal:
        form.refuse(form.current, str(refusal))
        return come_back(_change_page(form, status=429), refusal)
    return _change_to(entered(form.password))


def _change_to(new: str) -> ResponseReturnValue:
    password_hash = passwords.hashed(new)
    with unit_of_work() as session:
        token = password_change.change(
            session,
            actor=current_actor(),
            session_id=current_user.session_id,
            password_hash=password_hash,
            stands_alone=credentials.stands_alone(new),
        )
    visitor.adopt(token)
    flash(CHANGED, "success")
    return see_other(url_for("factors.security"))


@bp.get("/password/forgot")
@public
def forgot_password() -> ResponseReturnValue:
    return _forgot_page(ForgottenPasswordForm())


@bp.post("/password/forgot")
@public
@checked_by_its_form
@limiter.limit("60 per hour")
def ask_password_reset() -> ResponseReturnValue:
    form = ForgottenPasswordForm()
    if not form.validate_on_submit():
        return _forgot_page(form, status=422)
    try:
        with unit_of_work() as session:
            password_reset.ask(session, email=entered(form.email), address=request.remote_addr)
    except LimitReached as refusal:
        form.refuse(form.email, str(refusal))
        return come_back(_forgot_page(form, status=429), refusal)
    return see_other(url_for(".password_reset_sent"))


@bp.get("/password/forgot/sent")
@public
def password_reset_sent() -> ResponseReturnValue:
    mailbox = url_for("dev.mailbox") if "dev" in current_app.blueprints else None
    return render("recovery/forgot_sent.html", dev_mail_url=mailbox)


@bp.get("/password/reset/<token>")
@public
def reset_password(token: str) -> ResponseReturnValue:
    return _reset_page(NewPasswordForm(_owner(password_reset.person_of(db.session(), token))), token)


@bp.post("/password/reset/<token>")
@public
@limiter.limit("60 per hour")
def finish_password_reset(token: str) -> ResponseReturnValue:
    person = password_reset.person_of(db.session(), token)
    actor, form = actor_here(person.id, person.role), NewPasswordForm(_owner(person))
    if not form.validate_on_submit():
        return _reset_page(form, token, status=422)
    db.session.rollback()  # no connection is kept waiting while the password is hashed
    new = entered(form.password)
    password_hash, alone = passwords.hashed(new), credentials.stands_alone(new)
    with unit_of_work() as session:
        password_reset.finish(
            session, token=token, actor=actor, password_hash=password_hash, stands_alone=alone
        )
    flash(RESET, "success")
    return see_other(url_for("identity.login"))


@bp.post("/password/check")
@public
@asked_by_a_field
@limiter.limit("120 per minute")
def check_password() -> ResponseReturnValue:
    """Say to a form, while its password is being typed, what is still missing. Nothing of it is kept."""
    typed = request.form.get("password", "")
    reason = passwords.weakness_for(_owner_of_form(), typed) if typed else None
    return render("recovery/_check.html", typed=bool(typed), reason=reason)


def _owner_of_form() -> Owner:
    if current_user.is_authenticated:
        return _owner_here()
    if link := request.form.get("link_token"):
        try:
            return _owner(password_reset.person_of(db.session(), link))
        except LinkIsDead:
            pass
    name, email = (cleaned(request.form.get(each, "")[:LONGEST_OWN_WORDS]) for each in ("name", "email"))
    return Owner(name, email)


def _owner_here() -> Owner:
    return Owner(current_user.name, current_user.email, current_user.handle, current_user.has_second_factor)


def _owner(person: User) -> Owner:
    return Owner(person.name, person.email, person.handle, person.second_factor_since is not None)


def _change_page(form: ChangePasswordForm, status: int = 200) -> Response:
    return render("recovery/password.html", status=status, form=form)


def _forgot_page(form: ForgottenPasswordForm, status: int = 200) -> Response:
    return render("recovery/forgot.html", status=status, form=form)


def _reset_page(form: NewPasswordForm, token: str, status: int = 200) -> Response:
    return render("recovery/reset.html", status=status, form=form, token=token)
