"""Pages where a person asks for another address, and where each of the two addresses answers."""

from __future__ import annotations

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import db, unit_of_work
from advancia.identity.errors import AddressTaken, SameAddress, TooManyMails
from advancia.identity.recovery import email_change
from advancia.identity.recovery.blueprint import bp
from advancia.identity.recovery.forms import NewEmailForm
from advancia.web.access import actor_here, current_actor, fully_confirmed, public, signed_in
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other
from advancia.web.limits import come_back, limiter

ASKED = "We have sent a mail to each of the two addresses. Follow the link in both of them."
STOPPED = "The change is stopped. Your address stays as it is."


@bp.get("/settings/email")
@signed_in
@fully_confirmed
def email() -> ResponseReturnValue:
    return _page(NewEmailForm())


@bp.post("/settings/email")
@signed_in
@fully_confirmed
@checked_by_its_form
def ask_email_change() -> ResponseReturnValue:
    form = NewEmailForm()
    if not form.validate_on_submit():
        return _page(form, status=422)
    try:
        with unit_of_work() as session:
            email_change.ask(session, actor=current_actor(), new_email=entered(form.email))
    except SameAddress as refusal:
        form.refuse(form.email, str(refusal))
        return _page(form, status=422)
    except TooManyMails as refusal:
        form.refuse(form.email, str(refusal))
        return come_back(_page(form, status=429), refusal)
    flash(ASKED, "success")
    return see_other(url_for(".profile"))


@bp.post("/settings/email/stop")
@signed_in
def stop_email_change() -> ResponseReturnValue:
    with unit_of_work() as session:
        stopped = email_change.stop(session, actor=current_actor())
    flash(STOPPED if stopped else "There is no change that waits.", "success" if stopped else "info")
    return see_other(url_for(".profile"))


@bp.get("/email-change/<token>")
@public
def answer_email_change(token: str) -> ResponseReturnValue:
    waiting = email_change.waiting_by(db.session(), token)
    return render("recovery/email_change.html", waiting=waiting, token=token)


@bp.post("/email-change/<token>")
@public
@limiter.limit("60 per hour")
def agree_to_email_change(token: str) -> ResponseReturnValue:
    waiting = email_change.waiting_by(db.session(), token)
    db.session.rollback()
    try:
        with unit_of_work() as session:
            waiting = email_change.agree(
                session, actor=actor_here(waiting.user_id, waiting.role), token=token
            )
    except AddressTaken as refusal:
        return render(
            "recovery/email_change.html", status=409, waiting=waiting, token=token, refusal=str(refusal)
        )
    if not waiting.is_complete:
        return see_other(url_for(".answer_email_change", token=token))
    flash("Your address is changed. From now on, sign in with the new one.", "success")
    return see_other(url_for(".profile") if current_user.is_authenticated else url_for("identity.login"))


@bp.post("/email-change/<token>/stop")
@public
@limiter.limit("60 per hour")
def stop_email_change_by_link(token: str) -> ResponseReturnValue:
    waiting = email_change.waiting_by(db.session(), token)
    db.session.rollback()
    with unit_of_work() as session:
        email_change.stop(session, actor=actor_here(waiting.user_id, waiting.role))
    flash("The change is stopped. The account keeps its address.", "success")
    return see_other(url_for(".profile") if current_user.is_authenticated else url_for("identity.login"))


def _page(form: NewEmailForm, status: int = 200) -> Response:
    waiting = email_change.waiting_of(db.session(), user_id=current_user.id)
    return render("recovery/email.html", status=status, form=form, waiting=waiting)
