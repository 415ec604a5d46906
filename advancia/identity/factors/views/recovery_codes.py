"""The page where a person makes recovery codes, and takes them away with them."""

from __future__ import annotations

from flask import Response, make_response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.errors import NotFound
from advancia.identity.factors import queries
from advancia.identity.factors.services import recovery_codes as codes
from advancia.identity.factors.views.shared import bp
from advancia.web.access import current_actor, fully_confirmed, signed_in
from advancia.web.htmx import render, see_other
from advancia.web.limits import limiter

FILE_NAME = "advancia-recovery-codes.txt"


@bp.get("/settings/security/recovery-codes")
@signed_in
@fully_confirmed
def recovery_codes() -> ResponseReturnValue:
    if not current_user.has_second_factor:
        return see_other(url_for(".security"))
    factors = queries.factors_of(db.session(), current_user.id)
    return render("factors/recovery_codes.html", factors=factors, codes=None)


@bp.post("/settings/security/recovery-codes")
@signed_in
@fully_confirmed
@limiter.limit("30 per hour")
def make_recovery_codes() -> ResponseReturnValue:
    """The codes are in this answer and nowhere else: there is no address at which they could be seen again."""
    if not current_user.has_second_factor:
        return see_other(url_for(".security"))
    with unit_of_work() as session:
        made = codes.make(session, actor=current_actor())
    factors = queries.factors_of(db.session(), current_user.id)
    return render("factors/recovery_codes.html", factors=factors, codes=made)


@bp.post("/settings/security/recovery-codes/file")
@signed_in
@limiter.limit("60 per hour")
def recovery_codes_file() -> Response:
    """The codes on the page as a file. The page sends them: here only their hashes are known."""
    brought = request.form.getlist("recovery_code")[: codes.HOW_MANY]
    if not codes.are_current(db.session(), user_id=current_user.id, codes=brought):
        raise NotFound("These recovery codes are no longer the newest. Make new ones.")
    shown = [codes.readable(codes.plain(code)) for code in brought]
    response = make_response(_file(shown))
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="{FILE_NAME}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _file(shown: list[str]) -> str:
    lines = [
        f"Recovery codes of {current_user.email} at Advancia",
        f"Made on {utcnow():%-d %B %Y}. Each can be used once, in the place of your second factor.",
        "",
        *shown,
        "",
    ]
    return "\n".join(lines)
