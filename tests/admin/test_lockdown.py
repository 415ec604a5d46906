"""Owners pause all money and let it move again; all staff see that it is paused."""

from __future__ import annotations

import pytest

from advancia.core.db import db
from advancia.ops import lockdown

REASON = "A payment looks wrong."


@pytest.fixture
def owner_page(staff_page):
    return staff_page("owner")


@pytest.fixture(autouse=True)
def money_moves(app):
    yield
    with app.app_context():
        lockdown.lift(reason="The test is over")


def test_an_owner_pauses_money_and_lets_it_move_again(app, owner_page, customer, page_of):
    amara = page_of(customer(USD="5.00"))
    paused = owner_page.follow(owner_page.submit("/admin/lockdown/", reason=REASON))

    assert "Money is paused" in paused.one("h1").text
    assert f"by Sam Adeyemi: {REASON}" in paused.text
    assert amara.get("/wallet").status == 503
    moves = owner_page.follow(owner_page.submit("/admin/lockdown/", reason="It was right"))
    assert "Money moves" in moves.one("h1").text
    assert amara.get("/wallet").status == 200


def test_all_staff_see_why_money_is_paused_and_only_owners_are_led_to_the_switch(app, owner_page, staff_page):
    with app.app_context():
        lockdown.begin(reason=REASON)

    assert f"Money is paused : {REASON}" in owner_page.get("/admin/").text
    assert owner_page.get("/admin/").all("a[href='/admin/lockdown/']")
    support = staff_page("support").get("/admin/")
    assert f"Money is paused: {REASON}" in support.text
    assert not support.all("a[href='/admin/lockdown/']")


def test_without_a_reason_nothing_changes(app, owner_page):
    answer = owner_page.submit("/admin/lockdown/", reason="")

    assert (answer.status, "Say why" in answer.text) == (422, True)
    with app.app_context():
        assert lockdown.state(db.session()).lockdown is None
