"""Signing up: nothing is given away, and only the owner of an address gets in."""

from __future__ import annotations

import email.policy as mail_policy
from datetime import timedelta
from email import message_from_bytes

import pytest
from sqlalchemy import text

from advancia.core.db import db, unit_of_work
from tests.support.people import PASSWORD
from tests.support.work import waiting_secret


@pytest.fixture
def code_for(app, work, monkeypatch):
    """The newest code that was to be mailed to an address."""

    def newest(email):
        secret = waiting_secret(app, to=email)
        return secret and secret.get("code")

    return newest


def sign_up(page, email, name="Amara Okafor", **other):
    return page.submit("/signup", email=email, name=name, password=PASSWORD, **{"terms": "y", **other})


def fresh(prefix="new"):
    from uuid import uuid4

    return f"{prefix}-{uuid4().hex[:12]}@test.example"


def test_the_code_turns_a_sign_up_into_a_customer(app, page, code_for):
    email = fresh()
    assert sign_up(page, email).location == "/verify-email"
    answer = page.submit("/verify-email", "form#verify-form", code=code_for(email))

    assert answer.location == "/wallet"
    assert page.get("/wallet").status == 200
    with app.app_context():
        user = db.session.execute(text("SELECT * FROM users WHERE email = :e"), {"e": email}).one()
    assert user.role == "customer"
    assert user.terms_version
    assert user.terms_accepted_at is not None
    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_handles_are_made_of_the_name_and_are_unique(app, page, code_for):
    handles = []
    for _ in range(2):
        email = fresh()
        page.transport.client.delete_cookie("session")
        sign_up(page, email, name="Zoë Müller-Łuk")
        page.submit("/verify-email", "form#verify-form", code=code_for(email))
        with app.app_context():
            handles.append(db.session.scalar(text("SELECT handle FROM users WHERE email = :e"), {"e": email}))

    assert handles[0] != handles[1]
    assert all(handle.startswith("zoe_muller") for handle in handles)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("email", "", "Enter an email address"),
        ("email", "amara", "Enter an email address"),
        ("email", "a@b@c.example", "Enter an email address"),
        ("name", "", "Enter your name"),
        ("name", "n" * 81, "Use at most 80 characters"),
        ("password", "", "Choose a password"),
        ("password", "short", "Use at least 15 characters"),
        ("password", "aaaaaaaaaaaaaaaaaa", "too easy to guess"),
        ("password", "Amara Okafor 1234", "too easy to guess"),
        ("terms", "", "Read and accept the terms"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_the_rest_is_kept(page, field, value, message):
    page.get("/signup")
    typed = {"email": fresh(), "name": "Amara Okafor", "password": PASSWORD, "terms": "y", field: value}
    if field == "terms":
        del typed["terms"]
    answer = page.post("/signup", typed, htmx_target="form#signup-form")

    assert answer.status == 422
    assert message in answer.one("form#signup-form [role=alert]").text
    assert f"{field}-error" in answer.one(f"#{field}")["aria-describedby"]
    if field != "email":
        assert answer.one("#email")["value"] == typed["email"]
    assert answer.one("#password").get("value", "") == ""


def test_an_address_with_an_account_looks_the_same_and_its_owner_is_told(
    app, page, page_of, customer, code_for
):
    amara = customer("Amara Okafor")
    known, unknown = sign_up(page, amara.email), sign_up(page, fresh())

    assert (known.status, known.location) == (unknown.status, unknown.location)
    with app.app_context():
        templates = db.session.scalars(
            text("SELECT payload->>'template' FROM outbox WHERE payload->>'to' = :e ORDER BY id"),
            {"e": amara.email},
        ).all()
    assert templates == ["account_exists"]
    assert code_for(amara.email) is None


def answers_to(page, email):
    """What somebody sees who signs up with an address, tries codes, and then tries the password that they chose."""
    sign_up(page, email)
    seen = [page.submit("/verify-email", "form#verify-form", code="00000").text]
    seen += [page.submit("/verify-email", "form#verify-form", code="000000").text for _ in range(6)]
    seen += [page.submit("/verify-email", "form[action$='/resend']").location]
    seen += [page.submit("/verify-email", "form#verify-form", code="000000").text]
    page.transport.client.delete_cookie("session")
    signed_in = page.submit("/login", email=email, password=PASSWORD)
    seen += [f"{signed_in.status} {signed_in.headers.get('Location')}", page.get("/verify-email").text]
    return [each.replace(email, "…") for each in seen]


def test_neither_codes_nor_the_password_of_a_sign_up_tell_whether_the_address_has_an_account(
    app, page, customer, monkeypatch
):
    from tests.support.pages import InProcess, Page

    monkeypatch.setattr("advancia.identity.services.sign_up.secrets.choice", lambda _digits: "7")
    amara = customer("Amara Okafor")
    with app.app_context(), unit_of_work() as session:  # and her password is another than the stranger's
        session.execute(text("UPDATE users SET password_hash = 'x' WHERE id = :id"), {"id": amara.id})

    known, unknown = answers_to(page, amara.email), answers_to(Page(InProcess(app)), fresh())
    assert known == unknown
    assert known[9] == "303 /verify-email"


def test_no_code_opens_a_sign_up_for_an_address_that_has_an_account(page, customer):
    amara = customer("Amara Okafor")
    sign_up(page, amara.email)
    opened = page.get("/verify-email")

    assert amara.email in opened.text
    for code in ("000000", "123456"):
        assert page.submit("/verify-email", "form#verify-form", code=code).status == 422


def test_a_code_belongs_to_its_own_sign_up(app, page, code_for):
    from tests.support.pages import InProcess, Page

    victim = fresh()
    stranger = Page(InProcess(app))
    sign_up(stranger, victim)
    strangers_code = code_for(victim)
    sign_up(page, victim)

    assert code_for(victim) != strangers_code
    assert page.submit("/verify-email", "form#verify-form", code=strangers_code).status == 422
    assert page.submit("/verify-email", "form#verify-form", code=code_for(victim)).location == "/wallet"


def test_a_code_works_once(app, page, code_for):
    email = fresh()
    sign_up(page, email)
    code = code_for(email)
    opened = page.get("/verify-email")
    assert page.submit_form(opened, "form#verify-form", code=code).location == "/wallet"
    page.transport.client.delete_cookie("session")
    again = page.post("/verify-email", {"code": code})

    assert again.status in (303, 400)
    assert page.get("/wallet").status == 303


def test_who_comes_back_with_a_sign_up_that_is_over_is_led_to_the_sign_in(app, page, code_for):
    email = fresh()
    sign_up(page, email)
    waiting = page.transport.client.get_cookie("session").value
    opened = page.get("/verify-email")
    page.submit_form(opened, "form#verify-form", code=code_for(email))
    page.transport.client.set_cookie("session", waiting)

    assert page.submit_form(opened, "form#verify-form", code="000000").location == "/login"
    assert page.submit_form(opened, "form[action$='/resend']").location == "/signup"


def test_five_wrong_codes_burn_the_code(page, code_for):
    email = fresh()
    sign_up(page, email)
    code = code_for(email)
    wrong = "000000" if code != "000000" else "111111"
    answers = [page.submit("/verify-email", "form#verify-form", code=wrong) for _ in range(5)]

    assert "That code is not right" in answers[0].text
    assert "no longer valid" in answers[4].text
    assert "no longer valid" in page.submit("/verify-email", "form#verify-form", code=code).text


def test_a_code_is_valid_for_ten_minutes(app, page, code_for):
    email = fresh()
    sign_up(page, email)
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text(
                "UPDATE sign_up SET code_expires_at = code_expires_at - interval '10 minutes' WHERE email = :e"
            ),
            {"e": email},
        )

    assert "no longer valid" in page.submit("/verify-email", "form#verify-form", code=code_for(email)).text


def test_a_new_code_replaces_the_one_before(page, code_for):
    email = fresh()
    sign_up(page, email)
    first = code_for(email)
    page.submit("/verify-email", "form[action$='/resend']")

    assert (
        page.submit("/verify-email", "form#verify-form", code=first).status == 422 or code_for(email) == first
    )
    assert page.submit("/verify-email", "form#verify-form", code=code_for(email)).location == "/wallet"


def test_five_codes_in_ten_minutes_lock_for_thirty(app, page):
    email = fresh()
    sign_up(page, email)
    for _ in range(4):
        assert page.submit("/verify-email", "form[action$='/resend']").status == 303
    refused = page.submit("/verify-email", "form[action$='/resend']")
    assert refused.status == 429
    assert "Wait 30 minutes" in refused.text

    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE counted_try SET tried_at = tried_at - cast(:age as interval) WHERE key = :e"),
            {"e": email, "age": timedelta(minutes=29)},
        )
    assert page.submit("/verify-email", "form[action$='/resend']").status == 429
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE counted_try SET tried_at = tried_at - interval '1 minute' WHERE key = :e"),
            {"e": email},
        )
    assert page.submit("/verify-email", "form[action$='/resend']").status == 303


def test_nobody_has_their_words_delivered_by_us(page, work, settings, customer):
    email, amara = fresh(), customer("Amara Okafor")
    for address in (email, amara.email):
        page.transport.client.delete_cookie("session")
        sign_up(page, address, name="Win at evil-site.example")
    work()

    mails = [
        message_from_bytes(path.read_bytes(), policy=mail_policy.default)
        for path in (settings.var / "mail").glob("*.eml")
    ]
    told = [mail for mail in mails if mail["To"] in (email, amara.email)]
    assert len(told) == 2
    for mail in told:
        assert "evil-site" not in str(mail["Subject"])
        assert not [part for part in mail.iter_parts() if "evil-site" in part.get_content()]


def test_the_code_is_wiped_once_the_mail_is_out(app, page, work):
    email = fresh()
    sign_up(page, email)
    work()
    with app.app_context():
        rows = db.session.execute(
            text("SELECT done_at, secret, encrypted_secret FROM outbox WHERE payload->>'to' = :e"),
            {"e": email},
        ).all()

    assert [(row.done_at is not None, row.secret, row.encrypted_secret) for row in rows] == [
        (True, None, None)
    ]


def test_the_code_waits_for_its_mail_encrypted(app, page, code_for):
    email = fresh()
    sign_up(page, email)
    with app.app_context():
        stored = db.session.scalar(
            text(
                "SELECT concat(payload, secret, encode(encrypted_secret, 'escape')) FROM outbox "
                "WHERE payload->>'to' = :e"
            ),
            {"e": email},
        )

    assert code_for(email).isdigit()
    assert code_for(email) not in stored.replace(email, "")
