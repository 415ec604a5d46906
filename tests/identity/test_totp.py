"""One-time codes: which are right, that each counts once, and how an app is set up and removed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.identity.factors.models import AuthenticatorApp
from advancia.identity.factors.services import apps, totp
from tests.support.factors import audited, code, enrol_totp, forget_used_codes, let_minutes_pass, mails_to
from tests.support.pages import InProcess, Page

# RFC 6238, appendix B: the rows of SHA-1.
RFC_SECRET = b"12345678901234567890"
RFC_VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


def key_on(page_answer):
    """The secret as the page shows it in text."""
    import base64

    shown = "".join(page_answer.one(".copy .mono").text.split())
    return base64.b32decode(shown + "=" * (-len(shown) % 8))


def begin(page):
    page.get("/settings/security/app")
    assert page.post("/settings/security/app").location == "/settings/security/app"
    return page.get("/settings/security/app")


def set_up(page, *, step=0):
    """Set up an app through the pages; return its secret and the last answer."""
    opened = begin(page)
    secret = key_on(opened)
    return secret, page.submit_form(opened, "#app-form", code=code(secret, step=step))


@pytest.mark.parametrize(("seconds", "right"), RFC_VECTORS)
def test_the_codes_are_those_of_rfc_6238(seconds, right):
    moment = datetime.fromtimestamp(seconds, UTC)

    assert totp.matching_step(RFC_SECRET, right, at=moment, digits=8) == seconds // 30


def test_a_code_is_right_one_step_early_and_one_step_late_and_no_further():
    now = datetime(2026, 11, 24, 12, 0, 15, tzinfo=UTC)
    mine = {
        off: totp.matching_step(RFC_SECRET, code_at(now + timedelta(seconds=30 * off)), at=now)
        for off in range(-3, 4)
    }

    assert {off for off, step in mine.items() if step is not None} == {-1, 0, 1}


def code_at(moment):
    import pyotp

    return pyotp.TOTP(totp.as_text(RFC_SECRET)).at(moment)


def test_a_code_is_taken_once_and_no_older_one_after_it(app, amara):
    secret = enrol_totp(app, amara)

    def take(what):
        with app.app_context(), unit_of_work() as own:
            return apps.accept(
                own, user_id=amara.id, code=what, keyring=app.extensions["keyring"], at=utcnow()
            )

    now, before = code(secret), code(secret, step=-1)
    assert take(now) is True
    assert take(now) is False
    assert take(before) is False


def test_the_same_code_in_many_requests_at_once_is_taken_once(app, amara):
    secret = enrol_totp(app, amara)
    right, at = code(secret), utcnow()

    def take(_):
        with app.app_context(), unit_of_work() as own:
            return apps.accept(own, user_id=amara.id, code=right, keyring=app.extensions["keyring"], at=at)

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(take, range(8)))
    assert sum(taken) == 1


def test_setting_up_shows_the_secret_as_picture_text_and_link(page_of, amara):
    opened = begin(page_of(amara))

    assert opened.one("svg.qr")
    grouped = opened.one(".copy .mono").text
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", grouped)
    link = opened.one("a[href^='otpauth://totp/']")["href"]
    assert f"secret={grouped.replace(' ', '')}" in link
    assert "issuer=Advancia" in link
    assert "style=" not in str(opened.one("svg.qr"))  # the policy allows no inline styles


def test_an_app_counts_only_after_a_right_code(page_of, amara):
    page = page_of(amara)
    secret = key_on(begin(page))
    assert "Not set up" in page.get("/settings/security").text

    wrong = page.submit("/settings/security/app", "#app-form", code=code(secret, step=9))
    assert wrong.status == 422
    assert "That code is not right" in wrong.one("#app-form [role=alert]").text
    assert wrong.one("#code")["value"] == ""
    assert key_on(wrong) == secret
    assert page_of(amara).get("/wallet").status == 200, "the password alone still opens the wallet"

    right = page.submit_form(wrong, "#app-form", code=code(secret))
    assert right.location == "/settings/security/recovery-codes"
    assert "On" in page.get("/settings/security").one("section[aria-labelledby=app-title] .tag").text


def test_the_code_that_set_an_app_up_signs_nobody_in(app, page_of, page, amara):
    secret, _ = set_up(page_of(amara))

    page.submit("/login", email=amara.email, password=amara.password)
    assert page.submit("/login/second-factor", code=code(secret)).status == 422
    assert page.submit("/login/second-factor", code=code(secret, step=1)).location == "/wallet"


def test_setting_up_again_brings_a_fresh_secret_and_the_old_one_works_until_then(app, page_of, amara, page):
    browser = page_of(amara)
    old, _ = set_up(browser)
    forget_used_codes(app, amara)
    new = key_on(begin(browser))
    assert new != old

    page.submit("/login", email=amara.email, password=amara.password)
    assert page.submit("/login/second-factor", code=code(old)).location == "/wallet"

    browser.submit("/settings/security/app", "#app-form", code=code(new))
    assert page.get("/wallet").location.startswith("/login"), "other sessions end"
    page.submit("/login", email=amara.email, password=amara.password)
    assert page.submit("/login/second-factor", code=code(old, step=1)).status == 422
    assert page.submit("/login/second-factor", code=code(new, step=1)).location == "/wallet"


def test_a_set_up_is_seen_only_in_the_session_that_began_it(app, page_of, amara):
    first, second = page_of(amara), page_of(amara)
    begin(first)

    assert second.get("/settings/security/app").all(".copy .mono") == []
    second.get("/settings/security/app")
    assert second.post("/settings/security/app/code", {"code": "123456"}).location == "/settings/security/app"


def test_a_set_up_that_was_left_open_too_long_begins_anew(app, page_of, amara):
    page = page_of(amara)
    secret = key_on(begin(page))
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(AuthenticatorApp)
            .where(AuthenticatorApp.user_id == amara.id)
            .values(created_at=utcnow() - timedelta(minutes=31))
        )

    assert (
        page.post("/settings/security/app/code", {"code": code(secret)}).location == "/settings/security/app"
    )
    assert "Begin again" in page.get("/settings/security/app").text


def test_the_first_factor_ends_the_sessions_that_the_password_alone_had_opened(page_of, amara):
    old, browser = page_of(amara), page_of(amara)
    set_up(browser)

    assert browser.get("/wallet").status == 200
    assert old.get("/wallet").location.startswith("/login")


def test_setting_up_gives_the_session_a_new_token(app, page_of, amara):
    page = page_of(amara)
    opened = begin(page)
    before = page.transport.client.get_cookie("session").value
    stolen = Page(InProcess(app))
    stolen.transport.client.set_cookie("session", before)
    assert stolen.get("/wallet").status == 200

    page.submit_form(opened, "#app-form", code=code(key_on(opened)))
    assert page.get("/wallet").status == 200
    assert stolen.get("/wallet").location.startswith("/login")


def test_the_secret_is_encrypted_and_bound_to_its_row_and_its_person(app, amara, session):
    secret = enrol_totp(app, amara)
    row = session.scalars(select(AuthenticatorApp).where(AuthenticatorApp.user_id == amara.id)).one()

    assert secret not in row.secret
    place = {"table": "authenticator_app", "column": "secret", "row": str(row.id)}
    assert app.extensions["keyring"].decrypt(row.secret, **place) == amara.id.to_bytes(8) + secret


def test_removing_asks_in_words_first_and_then_tells_by_mail_and_in_the_audit_trail(app, page_of, amara):
    page = page_of(amara)
    set_up(page)

    assert "only your password guards this account" in page.get("/settings/security/app/removal").text
    assert page.submit("/settings/security/app/removal").location == "/settings/security"
    assert "Not set up" in page.get("/settings/security").text
    assert page_of(amara).get("/wallet").status == 200

    told, actions = mails_to(app, amara), set(audited(app, amara))
    assert "A second factor was added to your account" in told
    assert "A second factor was removed from your account" in told
    assert {"factor.add", "factor.remove"} <= actions


@pytest.mark.parametrize(
    "path", ["/settings/security/app", "/settings/security/app/removal", "/settings/security/recovery-codes"]
)
def test_what_changes_a_factor_asks_for_everything_anew_after_five_minutes(app, page_of, amara, path):
    page = page_of(amara)
    secret, _ = set_up(page)
    let_minutes_pass(app, amara)

    asked = page.get(path)
    assert asked.location == f"/confirm?next={path}&fully=1"
    form = page.follow(asked)
    assert form.one("#password")
    assert form.one("#code")
    answer = page.submit_form(form, password=amara.password, code=code(secret, step=1))
    assert answer.location == path
    assert page.get(path).status == 200
