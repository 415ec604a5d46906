"""The frame of the staff pages: who gets in, and what it shows them."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("role", ["support", "finance", "admin", "owner"])
def test_staff_with_a_second_factor_get_in(staff_page, role):
    assert staff_page(role).get("/admin/").status == 200


def test_customers_do_not(page_of, customer):
    assert page_of(customer()).get("/admin/").status == 403
