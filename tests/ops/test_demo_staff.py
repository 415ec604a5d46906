"""The demo's staff: one of each role, whose second factor a newcomer can use at once."""

from __future__ import annotations

import pytest

from advancia.ops import demo, demo_staff
from tests.support.pages import InProcess, Page


@pytest.fixture
def seeded(app):
    with app.app_context():
        for _ in range(2):  # it may be run again
            emails = demo_staff.seed(password=demo.PASSWORD, keyring=app.extensions["keyring"])
    return emails


def test_each_signs_in_with_the_code_that_the_command_shows(app, seeded):
    shown = app.test_cli_runner().invoke(args=["demo", "code"]).output.strip()
    for email in seeded:
        page = Page(InProcess(app))
        page.submit("/login", email=email, password=demo.PASSWORD)
        assert page.submit("/login/second-factor", code=shown).location == "/admin/"
        assert page.get("/admin/").status == 200
