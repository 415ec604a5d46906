"""Take the pictures of the README anew, from a running demo.

`python -m tests.browser.pictures [http://localhost:8000]`
"""

from __future__ import annotations

import shutil
import sys

from playwright.sync_api import Page, sync_playwright

from advancia.config import ROOT
from advancia.ops import demo_staff
from advancia.ops.demo import PASSWORD, PEOPLE
from tests.support.browser import ARGUMENTS

PICTURES = ROOT / "docs" / "pictures"


def main(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for picture in (wallet, transaction):
            page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 900})
            picture(page)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=PICTURES / f"{picture.__name__}.png")
            page.close()
        browser.close()


def wallet(page: Page) -> None:
    _sign_in(page, PEOPLE[0][0])
    page.wait_for_url("**/wallet")


def transaction(page: Page) -> None:
    """The newest transaction, as staff see it."""
    _sign_in(page, demo_staff.STAFF[-1][0])
    page.wait_for_url("**/login/second-factor**")
    page.fill("input[name=code]", demo_staff.code())
    page.click("main form .button.primary")
    page.wait_for_url("**/admin/")
    page.goto("/admin/transactions/")
    page.click("main tbody tr:first-child a >> nth=0")


def _sign_in(page: Page, email: str) -> None:
    page.goto("/login")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("#login-form .button.primary")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
