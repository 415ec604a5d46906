"""Pages where a person sees where they are signed in, and ends what should not go on."""

from __future__ import annotations

from flask import Blueprint, flash, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from advancia.core.db import db, unit_of_work
from advancia.identity.sessions import queries, services
from advancia.web.access import confirmed, current_actor, signed_in
from advancia.web.htmx import render, see_other

bp = Blueprint("sessions", __name__, url_prefix="/settings/sessions")


@bp.get("")
@signed_in
def index() -> ResponseReturnValue:
    session = db.session()
    open_ones = queries.open_sessions(session, current_user.id)
    return render(
        "sessions/index.html",
        here=[each for each in open_ones if each.id == current_user.session_id],
        elsewhere=[each for each in open_ones if each.id != current_user.session_id],
        ended=queries.ended_sessions(session, current_user.id),
    )


@bp.post("/<int:session_id>/end")
@signed_in
@confirmed
def end(session_id: int) -> ResponseReturnValue:
    with unit_of_work() as session:
        services.end_own(session, actor=current_actor(), session_id=session_id)
    if session_id == current_user.session_id:
        return _signed_out("You are signed out.")
    flash("That session has ended. Whoever sits there has to sign in again.", "success")
    return see_other(url_for(".index"))


@bp.post("/others/end")
@signed_in
@confirmed
def end_others() -> ResponseReturnValue:
    with unit_of_work() as session:
        services.end_others(session, actor=current_actor(), but=current_user.session_id)
    flash("You are signed out everywhere else.", "success")
    return see_other(url_for(".index"))


@bp.post("/all/end")
@signed_in
@confirmed
def end_all() -> ResponseReturnValue:
    with unit_of_work() as session:
        services.end_others(session, actor=current_actor(), but=None)
    return _signed_out("You are signed out everywhere.")


def _signed_out(words: str) -> ResponseReturnValue:
    logout_user()
    cookie.clear()
    flash(words, "success")
    return see_other(url_for("identity.login"))
