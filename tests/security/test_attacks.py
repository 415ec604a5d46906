"""Attacks that worked once, or nearly: each is tried here again."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, update

from advancia.core import log
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.encryption import Undecryptable
from advancia.core.outbox import OutboxRow
from advancia.identity import queries
from advancia.identity.errors import SessionEnded
from advancia.identity.factors.models import AuthenticatorApp
from advancia.identity.factors.services import apps
from advancia.identity.models import SignUp, UserSession
from advancia.identity.recovery import password_change
from advancia.identity.services import passwords, suspension
from advancia.identity.sessions import services as sessions
from advancia.web.forms import cleaned
from tests.support.factors import code, enrol_totp
from tests.support.pages import InProcess, Page
from tests.support.people import new_staff

MARKS = "a" + "\u0301" * 15_000 + "\u0316" * 15_000  # in an order which takes seconds to mend
AT_ONCE_SECONDS = 2.0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/signup", "name"),
        ("/login", "email"),
        ("/password/forgot", "email"),
        ("/password/check", "name"),
    ],
)
def test_a_field_full_of_accents_keeps_nobody_waiting(page, path, field):
    page.get("/signup")
    # As one part of a multipart body, which needs no more than two bytes for each.
    began = time.perf_counter()
    raw = page.transport.client.post(
        path,
        data={field: MARKS, "password": "a long password for tests", "csrf_token": page.csrf_token},
        content_type="multipart/form-data",
    )
    assert raw.status_code in (200, 422)
    assert time.perf_counter() - began < AT_ONCE_SECONDS


def test_accents_that_a_language_uses_are_kept():
    assert cleaned("Việt  Hà́") == "Việt  Hà́"
    assert cleaned("e" + "\u0301" + "\u0323" * 29) == cleaned("e" + "\u0301" + "\u0323" * 29 + "\u0323" * 500)


@pytest.mark.parametrize("header", ["Referer", "Origin", "HX-Current-URL"])
@pytest.mark.parametrize("path", ["/settings/profile", "/logout"])
def test_an_address_that_is_none_breaks_nothing(page, header, path):
    page.get("/login")
    answer = page.post(path, {"csrf_token": "forged"}, headers={header: "http://[::1"})
    assert answer.status in (303, 400)
    assert "http://[" not in answer.headers.get("Location", "")


def test_a_long_word_is_written_into_the_log_without_delay():
    began = time.perf_counter()
    event = log.redact(None, "info", {"error": "a" * 60_000 + " of amara@test.example"})
    assert event["error"].endswith(" of a…@test.example")
    assert time.perf_counter() - began < AT_ONCE_SECONDS


def test_the_password_that_somebody_has_is_not_kept_for_a_form_that_came_too_late(app, customer, page_of):
    amara = customer()
    page = page_of(amara)
    page.get("/settings/password")
    with app.app_context(), unit_of_work() as session:
        sessions.end_all(session, user_id=amara.id)

    sent_away = page.post(
        "/settings/password",
        {"current": amara.password, "password": "quite another long password"},
        headers={"Origin": "http://localhost", "Referer": "http://localhost/settings/password"},
    )

    assert sent_away.location == "/login?next=/settings/password"
    assert page.transport.client.get_cookie("typed") is None


def test_what_was_begun_in_a_session_that_its_owner_has_ended_meanwhile_is_not_done(app, customer, page_of):
    """A thief's form is let in, waits for its hash, and the owner resets the password before it has its effect."""
    amara = customer()
    page_of(amara)
    actor = Actor(amara.id, "customer", None, None)
    with app.app_context(), unit_of_work() as session:
        stolen = session.scalars(select(UserSession.id).where(UserSession.user_id == amara.id)).one()
        sessions.end_all(session, user_id=amara.id)

    with app.app_context(), pytest.raises(SessionEnded), unit_of_work() as session:
        password_change.change(
            session, actor=actor, session_id=stolen, password_hash="the thief's", stands_alone=True
        )

    with app.app_context():
        stored = queries.credentials_of(db.session(), amara.email).password_hash
    assert passwords.matches(stored, amara.password)


def test_signing_in_ends_the_session_that_the_browser_had(app, customer, page_of):
    amara, bilal = customer(), customer("Bilal Haddad")
    page = page_of(amara)
    before = page.transport.client.get_cookie("session").value
    page.get("/settings/profile")
    assert page.post("/login", {"email": bilal.email, "password": bilal.password}).status == 303

    page.transport.client.set_cookie("session", before)
    assert page.get("/wallet").location.startswith("/login")


def test_an_authenticator_app_that_is_handed_to_another_account_in_the_database_opens_nothing(app, customer):
    thief, amara = customer("Tom Thief"), customer()
    secret = enrol_totp(app, thief)
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(AuthenticatorApp).where(AuthenticatorApp.user_id == thief.id).values(user_id=amara.id)
        )

    with app.app_context(), pytest.raises(Undecryptable, match="made for another account"):
        apps.accept(
            db.session(),
            user_id=amara.id,
            code=code(secret),
            keyring=app.extensions["keyring"],
            at=utcnow(),
        )


@pytest.mark.parametrize("host", ["\uff34\uff25\uff33\uff34.example", "test\u3002example", "Test.Example"])
def test_one_mailbox_has_one_spelling_and_no_second_account(app, page, customer, host):
    amara = customer()
    spelled = amara.email.replace("test.example", host)
    answer = page.submit(
        "/signup", name="Amara", email=spelled, password="quite another long password", terms="y"
    )
    assert answer.status == 303

    with app.app_context():
        claims = db.session.execute(
            select(SignUp.email, SignUp.user_exists).where(SignUp.email == amara.email)
        ).all()
    assert claims == [(amara.email, True)]


def test_another_spelling_of_the_address_does_not_begin_a_new_count_of_wrong_passwords(app, customer):
    amara = customer()
    hosts = (
        "test.example",
        "\uff34\uff25\uff33\uff34.example",
        "Test.Example",
        "test\u3002example",
        "test\uff0eexample",
    )
    for host in hosts:
        email = amara.email.replace("test.example", host)
        assert Page(InProcess(app)).submit("/login", email=email, password="a wrong one").status == 422, host

    assert Page(InProcess(app)).submit("/login", email=amara.email, password="a wrong one").status == 429


def test_whether_somebody_has_the_new_address_makes_no_difference_to_what_asking_for_it_does(
    app, customer, page_of
):
    amara, bilal = customer(), customer("Bilal Haddad")
    wanted = (bilal.email, f"nobody-has-{bilal.email}")
    page = page_of(amara)
    for new_email in wanted:
        assert page.submit("/settings/email", "form#email-form", email=new_email).status == 303

    with app.app_context():
        mails = db.session.scalars(
            select(OutboxRow.encrypted_secret).where(OutboxRow.payload["to"].astext.in_(wanted))
        ).all()
    assert len(mails) == len(wanted)
    assert all(mails)


def test_a_session_that_was_being_opened_when_its_person_was_suspended_is_not_there_once_they_are_back(
    app, customer, page_of
):
    """Such as by a passkey, between the look at the account and the sign-in."""
    amara, ada = customer(), new_staff(app, "admin")
    page, actor = page_of(amara), Actor(ada.id, "admin", None, None)
    with app.app_context():
        with unit_of_work() as session:
            suspension.suspend(session, actor=actor, user_id=amara.id, reason="A case")
            session.execute(update(UserSession).where(UserSession.user_id == amara.id).values(ended_at=None))
        with unit_of_work() as session:
            suspension.reinstate(session, actor=actor, user_id=amara.id, reason="Closed")

    assert page.get("/wallet").location.startswith("/login")
