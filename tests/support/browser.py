"""Headless Chromium for tests that need a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; without one these tests are skipped, but never where CI runs."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("ADVANCIA_CI"):
            pytest.fail("Chromium is not installed, and CI may skip nothing.")
        pytest.skip("Chromium is not installed; install the package chromium to run the browser tests.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a tab: `tab(javascript=False, width=360, dark=True)`; a script error on any page fails the test."""
    contexts, problems = [], []

    def open_tab(*, javascript: bool = True, width: int = 1280, dark: bool = False) -> Any:
        context = chromium.new_context(
            java_script_enabled=javascript,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda said: problems.append(f"{page.url}: {said.text}") if said.type == "error" else None,
        )
        return page

    yield open_tab
    for context in contexts:
        context.close()
    # The browser itself reports answers of 4xx and 5xx as errors; those are asked about by the tests.
    assert not [each for each in problems if "Failed to load resource" not in each]
