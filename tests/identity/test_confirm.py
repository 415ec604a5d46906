"""Proving anew that it is oneself, before what is worth guarding."""

from __future__ import annotations

import pytest

from advancia.web.access import confirmed, signed_in
from tests.support.factors import audited, code, enrol_totp, let_minutes_pass, sign_in_with_code
from tests.support.pages import InProcess, Page

PATH = "/settings/security/app"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def app_with_a_vault(settings):
    """The product with one more page, which wants to know who sits there."""
    from advancia.app import create_app

    app = create_app(settings)
    app.testing = True
    app.add_url_rule("/vault", "vault", confirmed(signed_in(lambda: "open")), methods=["GET", "POST"])
    return app


@pytest.fixture
def vault(app_with_a_vault, amara):
    """A browser of somebody without a second factor who signed in six minutes ago."""
    page = Page(InProcess(app_with_a_vault))
    page.submit("/login", email=amara.email, password=amara.password)
    let_minutes_pass(app_with_a_vault, amara)
    return page


def token_of(page):
    return page.transport.client.get_cookie("session").value


def test_a_sign_in_counts_for_five_minutes(app_with_a_vault, amara):
    page = Page(InProcess(app_with_a_vault))
    page.submit("/login", email=amara.email, password=amara.password)
    assert page.get("/vault").html == "open"

    let_minutes_pass(app_with_a_vault, amara, minutes=4)
    assert page.get("/vault").html == "open"
    let_minutes_pass(app_with_a_vault, amara, minutes=1)
    assert page.get("/vault").location == "/confirm?next=/vault"


def test_whoever_has_no_second_factor_is_asked_for_the_password(vault, amara):
    asked = vault.follow(vault.get("/vault"))
    assert asked.one("#password")
    assert asked.all("#code") == []
    assert "second factor" in asked.text

    wrong = vault.submit_form(asked, password="not it at all")
    assert wrong.status == 422
    assert "That is not your password" in wrong.one("#password-error").text
    assert "not it at all" not in wrong.html
    assert vault.submit_form(wrong, password=amara.password).location == "/vault"
    assert vault.get("/vault").html == "open"


def test_whoever_has_one_is_asked_for_it_and_not_for_the_password(app_with_a_vault, amara):
    secret = enrol_totp(app_with_a_vault, amara)
    page = Page(InProcess(app_with_a_vault))
    sign_in_with_code(page, amara, secret, step=-1)
    let_minutes_pass(app_with_a_vault, amara)

    asked = page.follow(page.get("/vault"))
    assert asked.all("#password") == []
    assert page.submit_form(asked, code=code(secret, step=40)).status == 422
    assert page.submit_form(asked, code=code(secret)).location == "/vault"
    assert page.get("/vault").html == "open"


def test_the_password_alone_does_not_stand_in_for_the_second_factor(app_with_a_vault, amara):
    secret = enrol_totp(app_with_a_vault, amara)
    page = Page(InProcess(app_with_a_vault))
    sign_in_with_code(page, amara, secret)
    let_minutes_pass(app_with_a_vault, amara)
    page.follow(page.get("/vault"))

    assert page.post("/confirm?next=/vault", {"password": amara.password}).status == 422
    assert page.get("/vault").location == "/confirm?next=/vault"


def test_the_session_goes_on_under_a_new_token(app_with_a_vault, vault, amara):
    thief = Page(InProcess(app_with_a_vault))
    thief.transport.client.set_cookie("session", token_of(vault))
    vault.submit("/confirm?next=/vault", password=amara.password)

    assert vault.get("/wallet").status == 200
    assert thief.get("/wallet").location.startswith("/login")


def test_a_form_leads_back_to_the_page_it_stood_on(vault, amara):
    asked = vault.post("/vault", headers={"Referer": "http://localhost/settings/security"})

    assert asked.location == "/confirm?next=/settings/security"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_it_never_leads_to_another_site(vault, amara, elsewhere):
    page = vault.get("/confirm?next=" + elsewhere)

    assert vault.submit_form(page, password=amara.password).location == "/wallet"


def test_wrong_passwords_count_as_failed_sign_ins(app_with_a_vault, vault, amara):
    for _ in range(5):
        assert vault.submit("/confirm?next=/vault", password="wrong").status == 422
    refused = vault.submit("/confirm?next=/vault", password=amara.password)

    assert refused.status == 429
    assert "Too many tries" in refused.text
    assert vault.get("/vault").location.startswith("/confirm")


def test_wrong_codes_count_with_those_of_signing_in(app_with_a_vault, amara):
    secret = enrol_totp(app_with_a_vault, amara)
    page = Page(InProcess(app_with_a_vault))
    sign_in_with_code(page, amara, secret, step=-1)
    let_minutes_pass(app_with_a_vault, amara)
    for number in range(10):
        assert page.submit("/confirm?next=/vault", code=code(secret, step=50 + number)).status == 422
    refused = page.submit("/confirm?next=/vault", code=code(secret))

    assert refused.status == 429
    assert "Too many wrong codes" in refused.text


def test_a_wrong_password_uses_up_no_code(app, page, amara):
    secret = enrol_totp(app, amara)
    sign_in_with_code(page, amara, secret, step=-1)
    let_minutes_pass(app, amara)
    asked = page.follow(page.get(PATH))

    assert page.submit_form(asked, password="wrong", code=code(secret)).status == 422
    assert page.submit_form(asked, password=amara.password, code=code(secret)).location == PATH


def test_of_both_only_what_is_no_longer_fresh_is_asked_for(app_with_a_vault, amara):
    secret = enrol_totp(app_with_a_vault, amara)
    page = Page(InProcess(app_with_a_vault))
    sign_in_with_code(page, amara, secret, step=-1)
    let_minutes_pass(app_with_a_vault, amara)
    page.submit("/confirm?next=/vault", code=code(secret))

    asked = page.follow(page.get(PATH))
    assert asked.one("#password")
    assert asked.all("#code") == []
    assert page.submit_form(asked, password=amara.password).location == PATH
    assert page.get(PATH).status == 200


def test_whoever_has_just_proved_it_goes_straight_on(page_of, amara):
    page = page_of(amara)

    assert page.get("/confirm?next=/history").location == "/history"
    assert page.get("/confirm?next=/history&fully=1").location == "/history"


def test_asking_again_without_a_proof_makes_nothing_fresher(app_with_a_vault, amara):
    page = Page(InProcess(app_with_a_vault))
    page.submit("/login", email=amara.email, password=amara.password)
    let_minutes_pass(app_with_a_vault, amara, minutes=4)
    page.get("/settings/security")
    assert page.post("/confirm?next=/vault").location == "/vault"

    let_minutes_pass(app_with_a_vault, amara, minutes=2)
    assert page.get("/vault").location == "/confirm?next=/vault"


def test_it_stands_in_the_audit_trail(app_with_a_vault, vault, amara):
    vault.submit("/confirm?next=/vault", password=amara.password)

    assert "session.confirm" in audited(app_with_a_vault, amara)


def test_nobody_else_finds_anything_there(page):
    assert page.get("/confirm").location.startswith("/login")
