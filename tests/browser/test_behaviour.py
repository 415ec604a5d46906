"""What only a real browser shows: focus, the Back button, double clicks, narrow screens."""

from __future__ import annotations

import re

import pytest

from tests.support.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="100.00", ETH="12.345678901234567890")


@pytest.fixture
def bilal(customer):
    return customer("Bilal Haddad")


@pytest.fixture
def signed_in(product, tab, amara):
    def open_tab(**how):
        page = tab(**how)
        page.goto(product.url + "/login")
        page.fill("#email", amara.email)
        page.fill("#password", PASSWORD)
        page.click("#login-form .button.primary")
        page.wait_for_url("**/wallet")
        return page

    return open_tab


def fill_in(page, product, recipient, amount):
    page.goto(product.url + "/transfers/new")
    page.fill("#recipient", recipient)
    page.fill("#amount", amount)
    page.click("#transfer-form .button.primary")


def test_a_refusal_takes_the_focus_and_names_the_fields(product, signed_in, bilal):
    page = signed_in()
    fill_in(page, product, bilal.email, "1000")
    page.wait_for_selector(".error-summary")

    assert page.evaluate("document.activeElement.className") == "error-summary"
    page.click(".error-summary a")
    assert page.evaluate("document.activeElement.id") == "amount"
    assert page.input_value("#recipient") == bilal.email


def test_the_back_button_from_the_review_keeps_what_was_typed(product, signed_in, bilal):
    page = signed_in()
    fill_in(page, product, bilal.email, "30")
    page.wait_for_url("**/transfers/review**")
    page.reload()
    page.go_back()
    page.wait_for_url("**/transfers/new**")

    assert page.input_value("#recipient") == bilal.email
    assert page.input_value("#amount") == "30"


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_double_click_sends_once(product, signed_in, bilal, books, javascript):
    page = signed_in(javascript=javascript)
    fill_in(page, product, bilal.email, "30")
    page.wait_for_url("**/transfers/review**")
    page.dblclick("#transfer-review .button.primary")
    page.wait_for_url(re.compile(r"/transfers/[0-9a-f-]{36}$"))
    page.go_back()
    page.wait_for_load_state()

    assert str(books.available(bilal)) == "30.00 USD"


def test_money_that_went_meanwhile_leads_back_to_the_form_with_the_reason(
    product, signed_in, amara, bilal, books, app
):
    page = signed_in()
    fill_in(page, product, bilal.email, "80")
    page.wait_for_url("**/transfers/review**")
    other = signed_in()
    fill_in(other, product, bilal.email, "50")
    other.wait_for_url("**/transfers/review**")
    other.click("#transfer-review .button.primary")
    other.wait_for_url(re.compile(r"/transfers/[0-9a-f-]{36}$"))

    page.click("#transfer-review .button.primary")
    page.wait_for_url("**/transfers/new**")
    assert "There is not enough money: 50.00 USD is available." in page.inner_text("body")
    assert page.input_value("#amount") == "80"
    assert str(books.available(bilal)) == "50.00 USD"


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_no_page_scrolls_sideways(product, signed_in, width):
    page = signed_in(width=width)
    for path in (
        "/wallet",
        "/history",
        "/transfers/new",
        "/deposits/new",
        "/help",
        "/terms",
        "/status",
        "/dev/mail",
    ):
        page.goto(product.url + path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, scheme)


def test_a_hidden_tab_does_not_poll(product, signed_in):
    page = signed_in()
    page.clock.install()
    page.goto(product.url + "/wallet")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "hx-ptag" in request.headers else None)
    with page.expect_response("**/wallet"):
        page.clock.run_for(2_500)
    assert asked

    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
    asked.clear()
    page.clock.run_for(60_000)
    assert asked == []
