"""Signing in with a second factor: the password alone opens nothing, by no way."""

from __future__ import annotations

from base64 import b32decode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from advancia.audit import records_of
from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.identity.factors.models import AuthenticatorApp, PasskeyChallenge, PendingSignIn
from advancia.identity.factors.services import account, apps, guesses
from advancia.identity.factors.views.second_factor import TOO_LATE, TOO_OFTEN
from advancia.identity.models import CountedTry, User, UserSession
from tests.support.factors import code, enrol_totp, forget_used_codes, mails_to, sign_in_with_code
from tests.support.pages import InProcess, Page
from tests.support.people import new_staff

SECOND = "/login/second-factor"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="5.00")


@pytest.fixture
def secret(app, amara):
    return enrol_totp(app, amara)


def type_password(page, person, **more):
    return page.submit("/login", email=person.email, password=person.password, **more)


def change_user(app, person, **values):
    with app.app_context(), unit_of_work() as session:
        session.execute(update(User).where(User.id == person.id).values(**values))


def open_sessions(app, person):
    with app.app_context():
        return db.session.scalars(
            select(func.count()).where(UserSession.user_id == person.id, UserSession.ended_at.is_(None))
        ).one()


def test_password_and_code_open_the_wallet(app, page, amara, secret):
    assert type_password(page, amara).location == SECOND
    assert amara.email in page.get(SECOND).text

    assert page.submit(SECOND, code=code(secret)).location == "/wallet"
    assert page.get("/wallet").status == 200


def test_whoever_was_on_the_way_somewhere_gets_there(page, amara, secret):
    type_password(page, amara, next="/history?asset=USD")

    assert page.submit(SECOND, code=code(secret)).location == "/history?asset=USD"


def test_the_password_alone_opens_nothing(app, page, amara, secret):
    type_password(page, amara)

    for path in ("/wallet", "/settings/security", "/settings/security/app", "/confirm", "/history"):
        assert page.get(path).location.startswith("/login?next="), path
    assert open_sessions(app, amara) == 0


def test_without_a_password_before_it_there_is_no_second_step(page, amara, secret):
    assert page.get(SECOND).location == "/login"
    page.get("/login")
    assert page.post(SECOND, {"code": code(secret)}).location == "/login"


def test_another_browser_cannot_finish_the_sign_in(app, page, amara, secret):
    type_password(page, amara)
    other = Page(InProcess(app))
    other.get("/login")

    assert other.post(SECOND, {"code": code(secret)}).location == "/login"


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12 34 5x"])
def test_what_is_no_code_is_refused_beside_the_field_and_not_counted(app, page, amara, secret, typed):
    type_password(page, amara)
    for _ in range(7):
        answer = page.submit(SECOND, code=typed)
    assert answer.status == 422
    assert "Enter the 6 digits" in answer.one("#code-error").text
    assert answer.one("#code")["value"] == ""

    assert page.submit(SECOND, code=code(secret)).location == "/wallet"


def test_a_code_may_be_typed_with_spaces_and_in_other_digits(app, page, amara, secret):
    now = code(secret)
    type_password(page, amara)
    arabic = "".join(chr(0x0660 + int(digit)) for digit in now)

    assert page.submit(SECOND, code=f" {arabic[:3]} {arabic[3:]}").location == "/wallet"


def test_five_wrong_codes_send_back_to_the_password(page, amara, secret):
    type_password(page, amara)
    answers = [page.submit(SECOND, code=code(secret, step=50 + number)) for number in range(4)]
    assert {answer.status for answer in answers} == {422}
    fifth = page.submit(SECOND, code=code(secret, step=60))

    assert fifth.location == "/login"
    assert TOO_OFTEN in page.follow(fifth).text
    assert page.get(SECOND).location == "/login"


def test_ten_wrong_codes_in_an_hour_lock_the_account_and_tell_its_owner(app, page, amara, secret):
    for _ in range(2):
        type_password(page, amara)
        for number in range(5):
            page.submit(SECOND, code=code(secret, step=50 + number))
    type_password(page, amara)
    refused = page.submit(SECOND, code=code(secret))

    assert refused.status == 429
    assert "Too many wrong codes" in refused.one("#code-error").text
    assert int(refused.headers["Retry-After"]) > 3000
    assert mails_to(app, amara).count("Signing in to your account is locked for a while") == 1

    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(CountedTry)
            .where(CountedTry.what == "second_factor.account", CountedTry.key == str(amara.id))
            .values(tried_at=CountedTry.tried_at - timedelta(hours=1))
        )
    assert page.submit(SECOND, code=code(secret)).location == "/wallet"


def test_wrong_codes_are_in_the_audit_trail(app, page, amara, secret):
    type_password(page, amara)
    page.submit(SECOND, code=code(secret, step=50))

    with app.app_context():
        lines = records_of(db.session(), kind="user", id=amara.id, limit=5)
    assert (lines[0].action, lines[0].role) == ("second_factor.failed", "stranger")
    assert lines[0].address is not None


def test_a_hundred_wrong_codes_in_a_row_are_the_last_until_something_else_is_right(app, page, amara, secret):
    with app.app_context(), unit_of_work() as session:
        session.add_all(
            CountedTry(what=guesses.IN_A_ROW.what, key=str(amara.id), tried_at=utcnow() - timedelta(days=3))
            for _ in range(100)
        )
    type_password(page, amara)
    refused = page.submit(SECOND, code=code(secret))
    assert refused.status == 429
    assert "No more are taken" in refused.one("#code-error").text

    with app.app_context(), unit_of_work() as session:
        account.forget_all(session, user_id=amara.id)
    new = enrol_totp(app, amara)
    type_password(page, amara)
    assert page.submit(SECOND, code=code(new)).location == "/wallet"


def test_wrong_codes_at_once_cannot_pass_the_limit(app, amara, secret):
    browsers = [Page(InProcess(app)) for _ in range(6)]
    for browser in browsers:
        assert type_password(browser, amara).location == SECOND
        browser.get(SECOND)

    def guess(number):
        return browsers[number % 6].post(SECOND, {"code": code(secret, step=50 + number)}).status

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(guess, range(40)))
    with app.app_context():
        counted = db.session.scalars(
            select(func.count()).where(
                CountedTry.what == "second_factor.account", CountedTry.key == str(amara.id)
            )
        ).one()
    assert counted == 10


def test_a_code_seen_over_the_shoulder_is_of_no_use_after_its_owner(app, page, amara, secret):
    sign_in_with_code(page, amara, secret)
    thief = Page(InProcess(app))
    type_password(thief, amara)

    refused = thief.submit(SECOND, code=code(secret))
    assert refused.status == 422
    assert "used before" in refused.one("#code-error").text


def test_the_same_code_from_two_browsers_at_once_lets_one_in(app, amara, secret):
    browsers = [Page(InProcess(app)) for _ in range(4)]
    for browser in browsers:
        type_password(browser, amara)
        browser.get(SECOND)
    right = code(secret)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda browser: browser.post(SECOND, {"code": right}).status, browsers))

    assert sorted(answers) == [303, 422, 422, 422]
    assert open_sessions(app, amara) == 1


def test_a_sign_in_is_finished_once(app, page, amara, secret):
    type_password(page, amara)
    page.get(SECOND)
    waiting = page.transport.client.get_cookie("session").value
    assert page.post(SECOND, {"code": code(secret)}).location == "/wallet"
    forget_used_codes(app, amara)

    again = Page(InProcess(app))
    again.transport.client.set_cookie("session", waiting)
    again.csrf_token = page.csrf_token
    answer = again.post(SECOND, {"code": code(secret)})
    assert answer.location == SECOND
    assert "Set-Cookie" not in answer.headers, "a double click must not lose the session it has just opened"
    assert TOO_LATE in again.follow(again.follow(answer)).text
    assert open_sessions(app, amara) == 1


def test_a_sign_in_waits_ten_minutes(app, page, amara, secret):
    type_password(page, amara)
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(PendingSignIn).where(PendingSignIn.user_id == amara.id).values(expires_at=utcnow())
        )

    back = page.get(SECOND)
    assert back.location == "/login"
    assert TOO_LATE in page.follow(back).text


def test_a_person_who_is_suspended_meanwhile_cannot_go_on(app, page, amara, secret):
    type_password(page, amara)
    page.get(SECOND)
    change_user(app, amara, suspended_at=func.now())

    assert page.post(SECOND, {"code": code(secret)}).location == SECOND
    assert page.get(SECOND).location == "/login"
    assert open_sessions(app, amara) == 0


def test_a_new_password_makes_what_the_old_one_began_useless(app, page, amara, secret):
    type_password(page, amara)
    page.get(SECOND)
    change_user(app, amara, password_changed_at=func.clock_timestamp())

    assert page.post(SECOND, {"code": code(secret)}).location == SECOND
    assert open_sessions(app, amara) == 0


def test_a_change_of_factors_makes_what_began_before_useless(app, page, amara, secret):
    type_password(page, amara)
    page.get(SECOND)
    with app.app_context(), unit_of_work() as session:
        account.forget_all(session, user_id=amara.id)

    assert page.post(SECOND, {"code": code(secret)}).location == SECOND
    assert open_sessions(app, amara) == 0
    assert type_password(page, amara).location == "/wallet"


def test_a_second_tab_that_is_signed_in_already_goes_home(page, amara, secret):
    sign_in_with_code(page, amara, secret)

    assert page.get(SECOND).location == "/wallet"
    assert page.get("/login").location == "/wallet"


def test_a_stale_form_comes_back_without_the_code(page, amara, secret):
    type_password(page, amara)
    page.get(SECOND)
    page.csrf_token = "forged"
    answer = page.post(SECOND, {"code": code(secret)})

    assert answer.status == 422
    assert "open for too long" in answer.text
    assert answer.one("#code")["value"] == ""


def test_the_session_token_is_a_new_one(page, amara, secret):
    page.get("/login")
    tokens = [page.transport.client.get_cookie("session").value]
    type_password(page, amara)
    tokens.append(page.transport.client.get_cookie("session").value)
    page.submit(SECOND, code=code(secret))
    tokens.append(page.transport.client.get_cookie("session").value)

    assert len(set(tokens)) == 3


@pytest.fixture
def officer(app):
    """Staff who have not enrolled anything yet."""
    person = new_staff(app, "support")
    change_user(app, person, second_factor_since=None)
    return person


def test_staff_without_a_second_factor_reach_nothing_but_the_page_to_add_one(page, officer):
    assert type_password(page, officer).location == "/admin/"
    assert page.get("/admin/").location == "/settings/security"
    assert "Your work here needs a second factor" in page.get("/settings/security").text


def test_staff_reach_their_pages_as_soon_as_they_have_enrolled(page, officer):
    type_password(page, officer)
    page.submit("/settings/security/app")
    opened = page.get("/settings/security/app")
    secret = b32decode("".join(opened.one(".copy .mono").text.split()))
    page.submit_form(opened, "#app-form", code=code(secret))

    assert page.get("/admin/").status == 200


def test_staff_cannot_take_their_last_factor_away(app, page, officer):
    sign_in_with_code(page, officer, enrol_totp(app, officer))
    answer = page.submit("/settings/security/app/removal")

    assert answer.location == "/settings/security"
    told = page.follow(answer)
    assert "this is your only one" in told.text
    assert "On" in told.one("section[aria-labelledby=app-title] .tag").text
    assert page.get("/admin/").status == 200


def test_a_short_password_is_not_left_alone(app, page, amara, secret):
    change_user(app, amara, password_alone=False)
    sign_in_with_code(page, amara, secret)

    assert "at least 15 characters first" in page.follow(page.submit("/settings/security/app/removal")).text
    assert "On" in page.get("/settings/security").one("section[aria-labelledby=app-title] .tag").text


def test_the_sweep_takes_away_what_was_left_behind(app, page, amara, secret, work):
    type_password(page, amara)
    keyring = app.extensions["keyring"]
    with app.app_context(), unit_of_work() as session:
        long_ago = utcnow() - timedelta(days=31)
        session.execute(
            update(PendingSignIn).where(PendingSignIn.user_id == amara.id).values(expires_at=long_ago)
        )
        session.add(PasskeyChallenge(challenge=b"x" * 32, bound_to="test:left behind", expires_at=utcnow()))
        apps.begin(session, user_id=amara.id, session_id=1, keyring=keyring)
        session.flush()
        is_draft = AuthenticatorApp.confirmed_at.is_(None)
        mine = (AuthenticatorApp.user_id == amara.id, is_draft)
        session.execute(update(AuthenticatorApp).where(*mine).values(created_at=long_ago))
        outbox.put(session, Job.SWEEP)
    work()

    with app.app_context():
        of_mine = (PendingSignIn.user_id == amara.id, PasskeyChallenge.bound_to == "test:left behind")
        left = [db.session.scalars(select(func.count()).where(each)).one() for each in of_mine]
        apps_left = db.session.scalars(
            select(AuthenticatorApp.confirmed_at).where(AuthenticatorApp.user_id == amara.id)
        ).all()
    assert left == [0, 0]
    assert len(apps_left) == 1
    assert apps_left[0] is not None
