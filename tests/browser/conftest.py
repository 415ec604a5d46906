"""In these tests the app is the product that runs in processes of its own."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.factors import code, enrol_totp
from tests.support.people import PASSWORD, new_staff
from tests.support.servers import Product


@pytest.fixture
def app(product: Product) -> Flask:
    return product.app


@pytest.fixture
def staff_tab(app, product, tab):
    """A tab in which an owner has signed in by password and code."""

    def open_tab(**how):
        owner = new_staff(app, "owner", "Olu Winters")
        secret = enrol_totp(app, owner)
        page = tab(**how)
        page.goto(product.url + "/login")
        page.fill("#email", owner.email)
        page.fill("#password", PASSWORD)
        page.click("#login-form .button.primary")
        page.wait_for_url("**/login/second-factor")
        page.fill("[name=code]", code(secret))
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin/")
        return page

    return open_tab
