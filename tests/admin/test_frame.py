"""The frame of the staff pages: who gets in, and what it shows them."""

from __future__ import annotations

import pytest

from advancia.web.access import staff_required


@pytest.mark.parametrize("role", ["support", "finance", "admin", "owner"])
def test_staff_with_a_second_factor_get_in(staff_page, role):
    assert staff_page(role).get("/admin/").status == 200


def test_customers_do_not(page_of, customer):
    assert page_of(customer()).get("/admin/").status == 403


def test_an_unexpected_error_is_told_in_a_whole_page_with_its_reference(app, staff_page, monkeypatch):
    page = staff_page("finance")

    @staff_required()
    def break_down():
        raise RuntimeError("Nobody has thought of this.")

    monkeypatch.setitem(app.view_functions, "admin.keys", break_down)
    answer = page.get("/admin/keys")

    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Something went wrong" in answer.one("h1").text
