"""Choosing a password and following links in a real browser, with scripts and without."""

from __future__ import annotations

import pytest

from tests.support.people import PASSWORD
from tests.support.recovery import newest_link
from tests.support.servers import eventually

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]

NEW = "four clear words of mine"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def link(product, tab, amara):
    """Ask for a link in a browser without scripts, and take it from the mail."""
    page = tab(javascript=False)
    page.goto(product.url + "/login")
    page.click("text=Forgot your password?")
    page.fill("#email", amara.email)
    page.click("#forgot-form .button.primary")
    assert page.url == product.url + "/password/forgot/sent"
    settings = product.app.extensions["settings"]
    eventually(lambda: _found(settings, amara), "the mail with the link is there")
    return product.url + newest_link(settings, amara.email)


def _found(settings, person):
    try:
        return newest_link(settings, person.email)
    except IndexError:
        return None


def test_while_a_password_is_typed_the_form_says_what_is_missing(product, tab, link):
    page = tab()
    posted = []
    page.on("request", lambda request: posted.append((request.method, request.url)))
    page.goto(link)
    line = page.locator("#password-check")
    page.locator("#password").press_sequentially("Amara 1234", delay=5)
    line.get_by_text("at least 15 characters").wait_for()
    page.fill("#password", "Amara Okafor 1234")
    line.get_by_text("made of your own name").wait_for()
    page.fill("#password", NEW)
    line.get_by_text("This password will do").wait_for()

    assert page.input_value("#password") == NEW
    assert line.get_attribute("aria-live") == "polite"
    assert {method for method, url in posted if url.endswith("/password/check")} == {"POST"}
    assert not [url for _, url in posted if "Amara" in url or "four" in url]


def test_a_double_click_sets_the_password_once_and_the_new_one_signs_in(product, tab, amara, link):
    page = tab(width=360)
    page.goto(link)
    page.fill("#password", NEW)
    page.dblclick("#reset-form .button.primary")
    page.wait_for_url("**/login")
    sign_in(page, amara, NEW)

    page.goto(link)
    assert "This link no longer works" in page.inner_text("main")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_scripts_the_link_works_as_well(product, tab, amara, link):
    page = tab(javascript=False)
    page.goto(link)
    page.fill("#password", "too short")
    page.click("#reset-form .button.primary")
    assert "Use at least 15 characters" in page.inner_text("#password-error")
    page.fill("#password", NEW)
    page.click("#reset-form .button.primary")
    page.wait_for_url("**/login")
    sign_in(page, amara, NEW)


def sign_in(page, person, password):
    page.fill("#email", person.email)
    page.fill("#password", password)
    page.click("#login-form .button.primary")
    page.wait_for_url("**/wallet")


def test_going_back_after_a_change_shows_no_password(product, tab, amara):
    page = tab()
    page.goto(product.url + "/login")
    sign_in(page, amara, PASSWORD)
    page.goto(product.url + "/settings/password")
    page.fill("#current", PASSWORD)
    page.fill("#password", NEW)
    page.click("#password-form .button.primary")
    page.wait_for_url("**/settings/security")
    page.go_back()
    page.wait_for_selector("#password-form")

    assert page.input_value("#current") == page.input_value("#password") == ""
