"""Ending sessions, as a person does it: with and without scripts, on a wide and on a narrow screen."""

from __future__ import annotations

import itertools

import pytest

from tests.support.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]


def sign_in(page, product, person):
    page.goto(product.url + "/login")
    page.fill("#email", person.email)
    page.fill("#password", PASSWORD)
    page.click("#login-form .button.primary")
    page.wait_for_url("**/wallet")
    return page


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_another_browser_is_signed_out_by_a_press(product, tab, customer, javascript):
    amara = customer("Amara Okafor")
    here, elsewhere = (sign_in(tab(javascript=javascript), product, amara) for _ in range(2))
    here.goto(product.url + "/settings/sessions")
    here.dblclick(".devices form button")
    here.wait_for_selector("text=That session has ended.")
    assert "You are signed in nowhere else." in here.inner_text("main")

    elsewhere.goto(product.url + "/wallet")
    assert "/login" in elsewhere.url
    here.reload()
    assert "Ended lately" in here.inner_text("main")


def test_the_list_does_not_scroll_sideways(product, tab, customer):
    amara = customer("Amara Okafor")
    for _ in range(2):
        sign_in(tab(), product, amara)
    page = sign_in(tab(), product, amara)
    for width, scheme in itertools.product([320, 360, 1280], ["light", "dark"]):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.goto(product.url + "/settings/sessions")

        assert page.evaluate("document.documentElement.scrollWidth") <= width, (width, scheme)
        inside = page.evaluate(
            "[...document.querySelectorAll('.sheet *')].every(e => e.getBoundingClientRect().right"
            " <= document.querySelector('.sheet').getBoundingClientRect().right + 0.5)"
        )
        assert inside, (width, scheme)
