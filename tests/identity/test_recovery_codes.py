"""Recovery codes: shown once, good once, and told of."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from advancia.core.db import db
from advancia.identity.factors.models import RecoveryCode
from advancia.identity.factors.services import recovery_codes
from tests.support.factors import audited, code, enrol_totp, let_minutes_pass, mails_to, sign_in_with_code
from tests.support.pages import InProcess, Page

PATH = "/settings/security/recovery-codes"
SECOND = "/login/second-factor"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def secret(app, amara):
    return enrol_totp(app, amara)


@pytest.fixture
def browser(page, amara, secret):
    """Signed in with both factors."""
    sign_in_with_code(page, amara, secret, step=-1)
    return page


def make(browser):
    shown = browser.submit(PATH)
    assert shown.status == 200
    return shown, [each.text for each in shown.all("ol.codes li")]


def type_password(app, person):
    other = Page(InProcess(app))
    other.submit("/login", email=person.email, password=person.password)
    return other


def use(page, typed):
    return page.submit(f"{SECOND}?by=recovery-code", recovery_code=typed)


def test_ten_readable_codes_without_look_alikes_are_shown_once(browser):
    shown, codes = make(browser)

    assert len(set(codes)) == 10
    for each in codes:
        assert re.fullmatch(r"([A-Z0-9]{5}-){4}[A-Z0-9]{5}", each)
        assert not set(each) & set("01OIL2Z5S8BUV")
    assert shown.headers["Cache-Control"] == "no-store"
    assert not any(each in browser.get(PATH).html for each in codes)
    assert "10 of 10 left" in browser.get("/settings/security").text


def test_a_code_has_at_least_112_bits():
    assert len(recovery_codes.ALPHABET) ** recovery_codes.LENGTH > 2**112
    assert len(set(recovery_codes.ALPHABET)) == len(recovery_codes.ALPHABET)


def test_only_hashes_are_kept(app, browser, amara):
    _, codes = make(browser)
    with app.app_context():
        kept = db.session.scalars(
            select(RecoveryCode.code_hash).where(RecoveryCode.user_id == amara.id)
        ).all()

    assert len(kept) == 10
    assert not {each.encode() for each in codes} & set(kept)
    assert not {each.replace("-", "").encode() for each in codes} & set(kept)


def test_a_code_stands_in_for_the_app_once_and_its_owner_is_told(app, browser, amara):
    _, codes = make(browser)
    thief = type_password(app, amara)
    assert use(thief, codes[3]).location == "/wallet"

    again = use(type_password(app, amara), codes[3])
    assert again.status == 422
    assert "none of your unused recovery codes" in again.one("#recovery_code-error").text
    assert again.one("#recovery_code")["value"] == ""
    assert "9 of 10 left" in thief.get("/settings/security").text
    assert "A recovery code was used" in mails_to(app, amara)
    assert "recovery_codes.use" in audited(app, amara)


@pytest.mark.parametrize(
    "as_typed",
    [
        str.lower,
        lambda it: it.replace("-", " "),
        lambda it: it.replace("-", "\u2013"),
        lambda it: f"  {it.replace('-', '')} ",
    ],
)
def test_a_code_may_be_typed_carelessly(app, browser, amara, as_typed):
    _, codes = make(browser)

    assert use(type_password(app, amara), as_typed(codes[0])).location == "/wallet"


@pytest.mark.parametrize("typed", ["", "123456", "AAAA-BBBB", "44444-44444-44444-44444-44444-4", "<script>"])
def test_what_is_no_recovery_code_is_refused_beside_the_field(app, browser, amara, typed):
    make(browser)
    answer = use(type_password(app, amara), typed)

    assert answer.status == 422
    assert answer.one("#recovery_code-error")
    assert answer.one("#recovery_code")["value"] == ""


def test_the_same_code_at_once_from_many_browsers_lets_one_in(app, browser, amara):
    _, codes = make(browser)
    pages = [type_password(app, amara) for _ in range(4)]
    for each in pages:
        each.get(f"{SECOND}?by=recovery-code")

    def try_it(each):
        return each.post(f"{SECOND}?by=recovery-code", {"recovery_code": codes[0]}).status

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(try_it, pages))
    assert answers == [303, 422, 422, 422]


def test_wrong_codes_are_counted_with_those_of_the_app(app, browser, amara, secret):
    make(browser)
    page = type_password(app, amara)
    for _ in range(4):
        assert use(page, "44444-44444-44444-44444-44444").status == 422
    fifth = page.submit(SECOND, code=code(secret, step=60))
    assert fifth.location == "/login"

    page = type_password(app, amara)
    for _ in range(5):
        use(page, "44444-44444-44444-44444-44444")
    page = type_password(app, amara)
    assert page.submit(SECOND, code=code(secret, step=1)).status == 429


def test_new_codes_replace_all_before(app, browser, amara):
    _, old = make(browser)
    _, new = make(browser)

    assert not set(old) & set(new)
    assert use(type_password(app, amara), old[0]).status == 422
    assert use(type_password(app, amara), new[0]).location == "/wallet"
    assert mails_to(app, amara).count("You have new recovery codes") == 2


def test_another_person_s_code_is_of_no_use(app, browser, amara, customer):
    _, codes = make(browser)
    bilal = customer("Bilal Haddad")
    his = enrol_totp(app, bilal)
    page = Page(InProcess(app))
    sign_in_with_code(page, bilal, his, step=-1)
    make(page)

    assert use(type_password(app, bilal), codes[0]).status == 422


def test_few_left_are_said_in_the_mail_and_on_the_page(app, browser, amara, secret):
    _, codes = make(browser)
    for each in codes[:7]:
        assert use(type_password(app, amara), each).location == "/wallet"
    from advancia.core.outbox import OutboxRow

    with app.app_context():
        sentence = OutboxRow.payload["facts"]["sentence"].astext
        said = db.session.scalars(
            select(sentence)
            .where(OutboxRow.payload["to"].astext == amara.email, sentence.contains("stood in"))
            .order_by(OutboxRow.id)
        ).all()
    assert [("left" in each) for each in said] == [False] * 6 + [True]
    assert "Only 3 are left: make new ones soon." in said[-1]
    assert browser.get("/settings/security").one("section[aria-labelledby=codes-title] .tag.waiting")


def test_the_file_holds_the_codes_and_nobody_keeps_it(browser, amara):
    _, codes = make(browser)
    fields = [("csrf_token", browser.csrf_token), *(("recovery_code", each) for each in codes)]
    from werkzeug.datastructures import MultiDict

    answer = browser.transport.send("POST", f"{PATH}/file", MultiDict(fields), {})

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="advancia-recovery-codes.txt"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert all(each in answer.html.splitlines() for each in codes)
    assert amara.email in answer.html


def test_the_file_says_back_nothing_but_one_s_own_codes(browser):
    make(browser)

    answer = browser.post(f"{PATH}/file", {"recovery_code": "<script>alert(1)</script>"})
    assert answer.status == 404
    assert "<script>alert" not in answer.html


def test_codes_are_for_those_who_have_a_factor(page_of, amara):
    page = page_of(amara)

    assert page.get(PATH).location == "/settings/security"
    page.get("/settings/security")
    assert page.post(PATH).location == "/settings/security"


def test_codes_go_with_the_last_factor(app, browser, amara):
    make(browser)
    browser.submit("/settings/security/app/removal")

    with app.app_context():
        left = db.session.scalars(select(RecoveryCode).where(RecoveryCode.user_id == amara.id)).all()
    assert left == []


def test_a_lost_phone_is_replaced_with_a_code(app, browser, amara):
    _, codes = make(browser)
    page = type_password(app, amara)
    assert use(page, codes[0]).location == "/wallet"
    assert page.get("/settings/security/app").status == 200, "both were proved a moment ago"

    let_minutes_pass(app, amara)
    asked = page.get("/settings/security/app")
    form = page.get(asked.location + "&by=recovery-code")
    assert (
        page.submit_form(form, password=amara.password, recovery_code=codes[1]).location
        == "/settings/security/app"
    )
