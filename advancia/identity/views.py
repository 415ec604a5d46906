"""Pages where somebody signs up, proves their address, signs in and out."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, current_app, flash, make_response, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from advancia.core.db import db, unit_of_work
from advancia.core.errors import Busy, LimitReached
from advancia.identity import queries, visitor
from advancia.identity.factors.services import account
from advancia.identity.factors.views.second_factor import ask_for_second_factor
from advancia.identity.forms import LogInForm, SignUpForm, VerifyEmailForm
from advancia.identity.recovery import credentials
from advancia.identity.services import limits, passwords, sign_in, sign_up
from advancia.identity.sessions import services as sessions
from advancia.web.access import current_actor, home_url, is_ours, public
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other
from advancia.web.limits import come_back, limiter
from advancia.web.public import TERMS_VERSION

bp = Blueprint("identity", __name__)

WRONG = "The email or the password is not right. Check both and try again."
WAITING = "sign_up"  # in the cookie: the sign-up that waits for its code


@bp.get("/signup")
@public
def signup() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return see_other(home_url())
    return _signup_page(SignUpForm())


@bp.post("/signup")
@public
@checked_by_its_form
@limiter.limit("30 per hour")
def create_signup() -> ResponseReturnValue:
    form = SignUpForm()
    if not form.validate_on_submit():
        return _signup_page(form, status=422)
    try:
        with unit_of_work() as session:
            tries = sign_up.begin_sign_up(session, email=entered(form.email), address=request.remote_addr)
    except LimitReached as refusal:
        form.refuse(form.email, str(refusal))
        return come_back(_signup_page(form, status=429), refusal)
    cookie[WAITING] = str(_signed_up(form, tries))
    return see_other(url_for(".verify_email"))


@bp.get("/verify-email")
@public
def verify_email() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return see_other(home_url())
    if _waiting_sign_up() is None:
        return see_other(url_for(".login"))
    return _verify_page(VerifyEmailForm())


@bp.post("/verify-email")
@public
@checked_by_its_form
@limiter.limit("60 per hour")
def check_code() -> ResponseReturnValue:
    form = VerifyEmailForm()
    sign_up_id = _waiting_sign_up()
    if sign_up_id is None:
        return see_other(url_for(".login"))
    if not form.validate_on_submit():
        return _verify_page(form, status=422)
    with unit_of_work() as session:
        outcome = sign_up.verify(session, key=_key(), sign_up_id=sign_up_id, code=entered(form.code))
    if outcome.user_id is None:
        form.refuse(form.code, outcome.refusal or sign_up.OLD_CODE)
        return _verify_page(form, status=422)
    return _sign_in(outcome.user_id)


@bp.post("/verify-email/resend")
@public
@limiter.limit("60 per hour")
def resend_code() -> ResponseReturnValue:
    sign_up_id = _waiting_sign_up()
    if sign_up_id is None:
        return see_other(url_for(".signup"))
    try:
        with unit_of_work() as session:
            sign_up.send_new_code(session, key=_key(), sign_up_id=sign_up_id)
    except LimitReached as refusal:
        form = VerifyEmailForm(formdata=None)
        form.refuse(form.code, str(refusal))
        return come_back(_verify_page(form, status=429), refusal)
    flash("We have sent a new code. The one before no longer works.", "success")
    return see_other(url_for(".verify_email"))


@bp.get("/login")
@public
def login() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return see_other(home_url())
    return _login_page(LogInForm(next=request.args.get("next")))


@bp.post("/login")
@public
@checked_by_its_form
@limiter.limit("60 per minute")
def create_session() -> ResponseReturnValue:
    form = LogInForm()
    if not form.validate_on_submit():
        return _login_page(form, status=422)
    try:
        with unit_of_work() as session:
            attempt = sign_in.begin_attempt(
                session,
                email=entered(form.email),
                address=request.remote_addr,
                device=visitor.known_device(),
            )
    except LimitReached as refusal:
        form.refuse(form.password, str(refusal))
        return come_back(_login_page(form, status=429), refusal)
    return _answer_attempt(form, attempt)


@bp.post("/logout")
@public
def logout() -> ResponseReturnValue:
    if current_user.is_authenticated:
        with unit_of_work() as session:
            sessions.sign_out(session, actor=current_actor(), session_id=current_user.session_id)
        logout_user()
    cookie.clear()
    flash("You are signed out.", "success")
    return see_other(url_for(".login"))


def _signed_up(form: SignUpForm, tries: list[int]) -> UUID:
    """Write down the sign-up, which is counted by now, and return its id."""
    try:
        password_hash = passwords.hashed(entered(form.password))
    except Busy:
        with unit_of_work() as session:
            limits.give_back(session, tries)
        raise
    with unit_of_work() as session:
        return sign_up.sign_up(
            session,
            key=_key(),
            email=entered(form.email),
            name=entered(form.name),
            password_hash=password_hash,
            terms_version=TERMS_VERSION,
        )


def _answer_attempt(form: LogInForm, attempt: sign_in.Attempt) -> ResponseReturnValue:
    """Look at the password, which is counted by now, and answer by it."""
    known = queries.credentials_of(db.session(), attempt.email)
    # No connection is kept waiting while the password is hashed.
    db.session.rollback()
    try:
        right = passwords.match_among(
            (known.password_hash, known.sign_up_password_hash), entered(form.password)
        )
    except Busy:
        with unit_of_work() as session:
            sign_in.take_back(session, attempt=attempt)
        raise
    if right == 0:
        return _sign_in_with_password(form, known, attempt)
    with unit_of_work() as session:
        sign_in.note_failure(session, user_id=known.user_id, address=request.remote_addr)
    if right is not None:
        return _finish_sign_up(known.sign_up_id)
    form.refuse(form.password, WRONG)
    return _login_page(form, status=422)


def _sign_in_with_password(
    form: LogInForm, known: queries.Credentials, attempt: sign_in.Attempt
) -> ResponseReturnValue:
    """The password was right a moment ago; that it was not changed since is looked at where the session is opened."""
    if known.user_id is None or known.password_hash is None or known.password_since is None:
        raise RuntimeError("A password was right, but nobody's.")
    if new_hash := credentials.renewed(known.password_hash, entered(form.password)):
        with unit_of_work() as session:
            credentials.renew_hash(
                session, user_id=known.user_id, old_hash=known.password_hash, new_hash=new_hash
            )
    try:
        return _sign_in(
            known.user_id, attempt=attempt, password_since=known.password_since, wanted=form.next.data
        )
    except credentials.PasswordChanged:
        form.refuse(form.password, WRONG)
        return _login_page(form, status=422)


def _sign_in(
    user_id: int,
    *,
    attempt: sign_in.Attempt | None = None,
    password_since: datetime | None = None,
    wanted: str | None = None,
) -> ResponseReturnValue:
    """Open a session in this browser, or ask whoever has a second factor for that first.

    With the session, whatever the cookie held before is thrown away.
    """
    with unit_of_work() as session:
        if password_since is not None:
            credentials.refuse_if_changed(session, user_id=user_id, since=password_since)
        if attempt is not None:
            sign_in.mark_succeeded(session, attempt=attempt)
        if account.must_be_proved(session, user_id):
            return see_other(ask_for_second_factor(session, user_id=user_id, wanted=wanted))
        token = visitor.start(session, user_id=user_id, second_factor=False, is_first=attempt is None)
    visitor.adopt(token)
    return see_other(wanted if wanted and is_ours(wanted) else home_url())


def _finish_sign_up(sign_up_id: UUID | None) -> ResponseReturnValue:
    """The password was right, but the address has not been proved: go on where that was left."""
    cookie[WAITING] = str(sign_up_id)
    flash("First prove your address with the code that we have mailed to you.", "info")
    return see_other(url_for(".verify_email"))


def _waiting_sign_up() -> UUID | None:
    """The sign-up of this browser, while its address waits to be proved."""
    sign_up_id = UUID(cookie[WAITING]) if WAITING in cookie else None
    waits = sign_up_id and queries.sign_up_email(db.session(), sign_up_id)
    return sign_up_id if waits else None


def _key() -> str:
    key: str = current_app.secret_key  # type: ignore[assignment]
    return key


def _signup_page(form: SignUpForm, status: int = 200) -> Response:
    return render("identity/signup.html", status=status, form=form)


def _verify_page(form: VerifyEmailForm, status: int = 200) -> Response:
    email = queries.sign_up_email(db.session(), UUID(cookie[WAITING]))
    if email is None:  # proved a moment ago by the first click of a double one
        return make_response(see_other(url_for(".login")))
    mailbox = url_for("dev.mailbox") if "dev" in current_app.blueprints else None
    return render("identity/verify_email.html", status=status, form=form, email=email, dev_mail_url=mailbox)


def _login_page(form: LogInForm, status: int = 200) -> Response:
    return render("identity/login.html", status=status, form=form)
