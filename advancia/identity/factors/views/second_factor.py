"""The second half of a sign-in: the password was right, and now the second factor."""

from __future__ import annotations

from flask import Response, flash, jsonify, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import Session, db, unit_of_work
from advancia.core.errors import NotFound
from advancia.identity import visitor
from advancia.identity.factors import queries
from advancia.identity.factors.errors import TooManyCodes
from advancia.identity.factors.forms import ProofForm
from advancia.identity.factors.services import passkeys, pending
from advancia.identity.factors.services.pending import Outcome, Waiting
from advancia.identity.factors.views.proving import WRONG, Ways, field_of, proof_form, proof_in, ways_for
from advancia.identity.factors.views.shared import bp, site
from advancia.web.access import actor_here, home_url, is_ours, public
from advancia.web.csrf import checked_by_its_form
from advancia.web.htmx import render, see_other
from advancia.web.limits import come_back, limiter

PENDING = "second_factor"  # in the cookie: the token of the sign-in that waits for it
TOO_LATE = "That took too long, or something about your account changed. Enter your password again."
TOO_OFTEN = "That was wrong too often. Enter your password again."


def ask_for_second_factor(session: Session, *, user_id: int, wanted: str | None) -> str:
    """Let the sign-in wait in this browser; return where it goes on. Call it in the unit of work of the password."""
    cookie[PENDING] = pending.begin(session, user_id=user_id, wanted=wanted)
    return url_for("factors.second_factor")


@bp.get("/login/second-factor")
@public
def second_factor() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return see_other(home_url())
    if PENDING not in cookie:
        return see_other(url_for("identity.login"))
    waiting = _waiting()
    if waiting is None:
        cookie.pop(PENDING)
        flash(TOO_LATE, "info")
        return see_other(url_for("identity.login"))
    ways = _ways(waiting)
    return _page(proof_form(ways), ways, waiting)


@bp.post("/login/second-factor")
@public
@checked_by_its_form
@limiter.limit("60 per minute")
def prove_second_factor() -> ResponseReturnValue:
    waiting = _waiting()
    if waiting is None:
        # Nothing is written into the cookie here: the first click of a double one may just have signed in with it.
        return see_other(url_for(".second_factor" if PENDING in cookie else "identity.login"))
    ways = _ways(waiting)
    form = proof_form(ways)
    if not form.validate_on_submit():
        return _page(form, ways, waiting, status=422)
    try:
        return _answer(form, ways, waiting)
    except TooManyCodes as refusal:
        form.refuse(field_of(form, ways), str(refusal))
        return come_back(_page(form, ways, waiting, status=429), refusal)


@bp.post("/login/second-factor/challenge")
@public
@limiter.limit("60 per minute")
def second_factor_challenge() -> ResponseReturnValue:
    """What a passkey is asked to sign; for the script on the page."""
    waiting = _waiting()
    if waiting is None:
        raise NotFound(TOO_LATE)
    db.session.rollback()
    with unit_of_work() as session:
        options = passkeys.begin_proof(session, user_id=waiting.user_id, bound_to=_flow(waiting), site=site())
    return jsonify(options)


def _answer(form: ProofForm, ways: Ways, waiting: Waiting) -> ResponseReturnValue:
    """Let the person in, or say that it was wrong."""
    outcome, token = _prove(form, ways, waiting)
    if token is not None:
        visitor.adopt(token)
        return see_other(outcome.wanted if outcome.wanted and is_ours(outcome.wanted) else home_url())
    if outcome.gone:
        cookie.pop(PENDING, None)
        flash(TOO_OFTEN, "error")
        return see_other(url_for("identity.login"))
    form.refuse(field_of(form, ways), WRONG[ways.chosen])
    return _page(form, ways, waiting, status=422)


def _prove(form: ProofForm, ways: Ways, waiting: Waiting) -> tuple[Outcome, str | None]:
    """Look at the proof and, if it holds, open the session in the same unit of work."""
    proof = proof_in(form, ways, actor=actor_here(waiting.user_id, waiting.role), flow=_flow(waiting))
    with unit_of_work() as session:
        outcome = pending.prove(session, token=cookie[PENDING], proof=proof, address=request.remote_addr)
        if outcome.user_id is None:
            return outcome, None
        return outcome, visitor.start(session, user_id=outcome.user_id, second_factor=True)


def _waiting() -> Waiting | None:
    token = cookie.get(PENDING)
    return pending.waiting(db.session(), token) if isinstance(token, str) else None


def _flow(waiting: Waiting) -> str:
    """What a passkey's challenge belongs to: this sign-in."""
    return f"second-factor:{waiting.id}"


def _ways(waiting: Waiting) -> Ways:
    return ways_for(queries.factors_of(db.session(), waiting.user_id))


def _page(form: ProofForm, ways: Ways, waiting: Waiting, status: int = 200) -> Response:
    return render("factors/second_factor.html", status=status, form=form, ways=ways, waiting=waiting)
