"""Pages where a person sees that the reset of their second factor was begun, stops it, or finishes it."""

from __future__ import annotations

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import db, unit_of_work
from advancia.core.errors import LimitReached
from advancia.identity import visitor
from advancia.identity.errors import LinkIsDead, WrongPassword
from advancia.identity.recovery import credentials, factor_reset, known_password
from advancia.identity.recovery.blueprint import bp
from advancia.identity.recovery.factor_reset import Waiting
from advancia.identity.recovery.forms import FinishFactorResetForm
from advancia.identity.services import passwords
from advancia.identity.services.password_rules import Owner
from advancia.web.access import actor_here, current_actor, public, signed_in
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other
from advancia.web.limits import come_back, limiter

CANCELLED = "The reset is cancelled. Your second factor stays as it is."
DONE = "Your lost second factor is gone, and all sessions have ended. Now set up a new one."
TOO_SHORT_ALONE = (
    "Your password was only long enough beside the second factor. Choose a longer one, which can stand alone."
)


@bp.get("/factor-reset/<token>", endpoint="factor_reset")
@public
def show(token: str) -> ResponseReturnValue:
    waiting = factor_reset.waiting_by(db.session(), token)
    return _page(FinishFactorResetForm(_owner(waiting)), waiting, token)


@bp.post("/factor-reset/<token>", endpoint="finish_factor_reset")
@public
@limiter.limit("60 per hour")
def finish(token: str) -> ResponseReturnValue:
    waiting = factor_reset.waiting_by(db.session(), token)
    if not waiting.is_ready:
        raise LinkIsDead
    form = FinishFactorResetForm(_owner(waiting))
    if not form.validate_on_submit():
        return _page(form, waiting, token, status=422)
    try:
        known_password.check(waiting.email, entered(form.current))
    except WrongPassword as refusal:
        form.refuse(form.current, str(refusal))
        return _page(form, waiting, token, status=422)
    except LimitReached as refusal:
        form.refuse(form.current, str(refusal))
        return come_back(_page(form, waiting, token, status=429), refusal)
    try:
        return _finish(form, waiting, token)
    except credentials.PasswordChanged:  # while the one that was typed was looked at
        form.refuse(form.current, str(WrongPassword()))
        return _page(form, waiting, token, status=422)


def _finish(form: FinishFactorResetForm, waiting: Waiting, token: str) -> ResponseReturnValue:
    alone = credentials.stands_alone(entered(form.current))
    if not alone and not form.password.data:
        form.refuse(form.password, TOO_SHORT_ALONE)
        return _page(form, waiting, token, status=422)
    new_hash = passwords.hashed(entered(form.password)) if form.password.data else None
    with unit_of_work() as session:
        credentials.refuse_if_changed(session, user_id=waiting.user_id, since=waiting.password_since)
        if new_hash:  # first, since a short password may not be without a factor for a moment
            credentials.set_password(
                session, user_id=waiting.user_id, password_hash=new_hash, stands_alone=True
            )
        factor_reset.finish(session, actor=actor_here(waiting.user_id, waiting.role), token=token)
        session_token = visitor.start(session, user_id=waiting.user_id, second_factor=False)
    visitor.adopt(session_token)
    flash(DONE, "success")
    return see_other(url_for("factors.security"))


@bp.post("/factor-reset/<token>/cancel")
@public
@limiter.limit("60 per hour")
def cancel_factor_reset_by_link(token: str) -> ResponseReturnValue:
    waiting = factor_reset.waiting_by(db.session(), token)
    db.session.rollback()
    with unit_of_work() as session:
        factor_reset.cancel(session, actor=actor_here(waiting.user_id, waiting.role))
    flash(CANCELLED, "success")
    return see_other(
        url_for("factors.security") if current_user.is_authenticated else url_for("identity.login")
    )


@bp.post("/settings/factor-reset/cancel")
@signed_in
def cancel_factor_reset() -> ResponseReturnValue:
    with unit_of_work() as session:
        cancelled = factor_reset.cancel(session, actor=current_actor())
    flash(CANCELLED if cancelled else "There is no reset under way.", "success" if cancelled else "info")
    return see_other(url_for("factors.security"))


@bp.app_template_global()
def waiting_factor_reset() -> Waiting | None:
    """The reset of the second factor of the person signed in that is under way, for pages that warn of it."""
    if not current_user.is_authenticated:
        return None
    return factor_reset.waiting_of(db.session(), user_id=current_user.id)


def _owner(waiting: Waiting) -> Owner:
    return Owner(waiting.name, waiting.email, waiting.handle)


def _page(form: FinishFactorResetForm, waiting: Waiting, token: str, status: int = 200) -> Response:
    return render("recovery/factor_reset.html", status=status, form=form, waiting=waiting, token=token)
