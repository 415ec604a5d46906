"""The loop, as a person goes through it: sign up, pay in, send, and both see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.browser import ARGUMENTS  # noqa: F401 - the fixtures live beside it
from tests.support.people import PASSWORD
from tests.support.servers import Product, eventually

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]


def newest_code(product: Product, email: str) -> str:
    """The code in the newest mail to that address."""
    found: list[str] = []

    def arrived() -> bool:
        for path in sorted((Path(product.environ["ADVANCIA_VAR"]) / "mail").glob("*.eml"), reverse=True):
            text = path.read_text()
            if email in text and (match := re.search(r"^\s*([0-9]{6})\s*$", text, re.M)):
                found.append(match[1])
                return True
        return False

    eventually(arrived, f"a mail with a code reaches {email}")
    return found[0]


def sign_up(tab, product: Product, email: str, name: str) -> None:
    tab.goto(product.url + "/signup")
    tab.fill("#email", email)
    tab.fill("#name", name)
    tab.fill("#password", PASSWORD)
    tab.check("#terms")
    tab.click("main form button[type=submit], main form button:not([type])")
    tab.wait_for_url("**/verify-email")
    tab.fill("#code", newest_code(product, email))
    tab.click("#verify-form button")
    tab.wait_for_url("**/wallet")


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_money_goes_round(product, tab, customer, page_of, books, javascript):
    bilal = customer("Bilal Haddad")
    page = tab(javascript=javascript)
    email = f"amara-{'with' if javascript else 'without'}@test.example"
    sign_up(page, product, email, "Amara Okafor")
    wallet = tab(javascript=javascript)
    # A second window of the same person, which nobody touches from here on.
    wallet.context.add_cookies(page.context.cookies())
    wallet.goto(product.url + "/wallet")

    page.goto(product.url + "/deposits/new")
    page.fill("#amount", "100.00")
    page.click("#deposit-form button")
    page.wait_for_url(product.environ["SANDBOX_URL"] + "/**")
    assert "Simulation" in page.inner_text("body")
    page.click("button[value=pay]")
    page.wait_for_url(product.url + "/deposits/**")
    if javascript:
        page.wait_for_selector("text=Paid in")
        # Within five seconds, and without a reload.
        wallet.wait_for_selector("#live >> text=100.00", timeout=5_000)
    else:
        eventually(lambda: page.reload() and "Paid in" in page.inner_text("main"), "the deposit is paid in")
        wallet.reload()
        assert "100.00" in wallet.inner_text("#live")

    page.goto(product.url + "/transfers/new")
    page.fill("#recipient", "@" + bilal.handle)
    page.fill("#amount", "30")
    page.fill("#note", "For the tickets")
    page.click("#transfer-form button")
    page.wait_for_url("**/transfers/review**")
    assert "30.00" in page.inner_text("main")
    page.click("text=Send 30.00 USD to Bilal Haddad")
    page.wait_for_url(re.compile(r"/transfers/[0-9a-f-]{36}$"))
    assert "For the tickets" in page.inner_text("main")

    assert str(books.available(bilal)) == "30.00 USD"
    page.goto(product.url + "/history")
    assert "To Bilal Haddad" in page.inner_text("main")
    assert "From Amara Okafor" in page_of(bilal).get("/history").text
    books.prove()
