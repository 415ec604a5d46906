"""The page on which somebody who is signed in proves anew that it is they who sit there."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia import audit
from advancia.core.db import db, unit_of_work
from advancia.core.errors import LimitReached
from advancia.identity import visitor
from advancia.identity.factors import queries
from advancia.identity.factors.forms import ProofForm
from advancia.identity.factors.services import passkeys, proofs
from advancia.identity.factors.views.proving import WRONG, Ways, field_of, proof_form, proof_in, ways_for
from advancia.identity.factors.views.shared import bp, site
from advancia.identity.recovery import known_password
from advancia.identity.sessions import services as sessions
from advancia.web.access import current_actor, home_url, is_ours, is_recent, signed_in
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other
from advancia.web.limits import come_back, limiter

WRONG_PASSWORD = "That is not your password. Check it and try again."  # noqa: S105 - words, not a password


@dataclass(frozen=True)
class Wanted:
    """What is still to be proved: a second factor by one of these ways, the password, or both."""

    ways: Ways | None
    password: bool

    @property
    def nothing(self) -> bool:
        return self.ways is None and not self.password


@bp.get("/confirm")
@signed_in
def confirm() -> ResponseReturnValue:
    wanted = _wanted()
    if wanted.nothing:
        return see_other(_where_to())
    return _page(proof_form(wanted.ways, password=wanted.password), wanted)


@bp.post("/confirm")
@signed_in
@checked_by_its_form
@limiter.limit("60 per hour")
def prove() -> ResponseReturnValue:
    wanted = _wanted()
    if wanted.nothing:  # what was proved a moment ago is not made any fresher by asking again
        return see_other(_where_to())
    form = proof_form(wanted.ways, password=wanted.password)
    if not form.validate_on_submit():
        return _page(form, wanted, status=422)
    try:
        right = _password_holds(form, wanted) and _factor_holds(form, wanted)
    except LimitReached as refusal:
        form.form_errors.append(str(refusal))
        return come_back(_page(form, wanted, status=429), refusal)
    if not right:
        return _page(form, wanted, status=422)
    visitor.go_on_by(_renewed(wanted))
    return see_other(_where_to())


def _renewed(wanted: Wanted) -> str:
    """Note what was proved, and return the session's new token."""
    with unit_of_work() as session:
        proved = {"second_factor": wanted.ways is not None, "password": wanted.password}
        token = sessions.renew(session, session_id=current_user.session_id, **proved)
        audit.record(
            session,
            current_actor(),
            action="session.confirm",
            kind="user",
            id=current_user.id,
            after={"session": current_user.session_id, **proved},
        )
        return token


@bp.post("/confirm/challenge")
@signed_in
@limiter.limit("60 per hour")
def confirm_challenge() -> ResponseReturnValue:
    """What a passkey is asked to sign; for the script on the page."""
    with unit_of_work() as session:
        options = passkeys.begin_proof(session, user_id=current_user.id, bound_to=_flow(), site=site())
    return jsonify(options)


def _password_holds(form: ProofForm, wanted: Wanted) -> bool:
    if not wanted.password or known_password.is_right(current_user.email, entered(form.password)):
        return True
    form.refuse(form.password, WRONG_PASSWORD)
    return False


def _factor_holds(form: ProofForm, wanted: Wanted) -> bool:
    if wanted.ways is None:
        return True
    proof = proof_in(form, wanted.ways, actor=current_actor(), flow=_flow())
    with unit_of_work() as session:
        holds = proofs.check(session, user_id=current_user.id, proof=proof, address=request.remote_addr)
    if not holds:
        form.refuse(field_of(form, wanted.ways), WRONG[wanted.ways.chosen])
    return holds


def _flow() -> str:
    """What a passkey's challenge belongs to: confirming in this session."""
    return f"confirm:{current_user.session_id}"


def _wanted() -> Wanted:
    """The second factor of whoever has one, else the password; and where `fully` is asked for, both."""
    fully, has_factor = "fully" in request.values, current_user.has_second_factor
    factor = has_factor and not is_recent(current_user.second_factor_at)
    if fully:
        password = not is_recent(current_user.password_at)
    else:
        password = not has_factor and not is_recent(current_user.confirmed_at)
    ways = ways_for(queries.factors_of(db.session(), current_user.id)) if factor else None
    return Wanted(ways, password)


def _where_to() -> str:
    asked = request.values.get("next", "")
    return asked if is_ours(asked) else home_url()


def _page(form: ProofForm, wanted: Wanted, status: int = 200) -> Response:
    carried = {name: request.values[name] for name in ("next", "fully") if name in request.values}
    return render("factors/confirm.html", status=status, form=form, wanted=wanted, carried=carried)
