"""Take the pictures of the README anew, from a running demo.

`python -m tests.browser.pictures [http://localhost:8000]`
"""

from __future__ import annotations

import shutil
import sys

from playwright.sync_api import sync_playwright

from advancia.config import ROOT
from advancia.ops.demo import PASSWORD, PEOPLE
from tests.support.browser import ARGUMENTS

PICTURES = ROOT / "docs" / "pictures"


def main(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url + "/login")
        page.fill("#email", PEOPLE[0][0])
        page.fill("#password", PASSWORD)
        page.click("#login-form .button.primary")
        page.wait_for_url("**/wallet")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURES / "wallet.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
