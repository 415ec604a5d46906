"""Finding customers, and what one page tells of them to whom."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.support.factors import enrol_totp
from tests.support.people import new_customer, new_staff


@pytest.fixture
def amara(customer):
    return customer(f"Amara {unique()}", USD="100.00")


def unique() -> str:
    """A surname that nobody else has."""
    return "Okafor" + uuid4().hex[:8]


def found(answer):
    return [link.get_text() for link in answer.all("#results tbody a.reach")]


@pytest.mark.parametrize(
    "typed",
    [
        "{email}",
        "{EMAIL}",
        "@{handle}",
        "{handle}",
        "{surname}",
        "{surname_begun}",
        "{id}",
        "amara {surname}",
    ],
)
def test_a_customer_is_found_by_email_handle_name_or_id(staff_page, amara, typed):
    surname = amara.name.split()[1]
    q = typed.format(
        email=amara.email, EMAIL=amara.email.upper(), handle=amara.handle, id=amara.id,
        surname=surname, surname_begun=surname[:-2],
    )  # fmt: skip

    assert amara.name in found(staff_page("support").get(f"/admin/customers/?q={q}"))


@pytest.mark.parametrize(
    "typed", ["%", "_", "'", "\\", "a & b", "!", ":*", "' | '", "(", "999999999999999999999"]
)
def test_what_is_typed_is_never_a_pattern_or_an_expression(staff_page, amara, typed):
    answer = staff_page("support").get("/admin/customers/?" + urlencode({"q": typed}))

    assert answer.status == 200
    assert amara.name not in found(answer)


def test_staff_are_no_customers(app, staff_page):
    owner = new_staff(app, "owner", f"Olu {unique()}")
    page = staff_page("support")

    assert found(page.get(f"/admin/customers/?q={owner.email}")) == []
    assert page.get(f"/admin/customers/{owner.id}").status == 404


def test_the_list_goes_on_where_the_page_before_ended(app, staff_page, monkeypatch):
    monkeypatch.setattr("advancia.admin.customers.views.PAGE_SIZE", 2)
    surname = unique()
    people = [new_customer(app, f"Number{n} {surname}") for n in range(5)]
    page = staff_page("support")

    seen, answer = [], page.get(f"/admin/customers/?q={surname}")
    while True:
        seen += found(answer)
        older = answer.all("a[rel=next]")
        if not older:
            break
        answer = page.get(older[0]["href"])

    assert seen == [each.name for each in reversed(people)]
    assert answer.one("nav.pages a")["href"] == f"/admin/customers/?q={surname}"


def test_the_page_tells_balances_and_what_moved(staff_page, amara, customer, sent):
    bilal = customer("Bilal Haddad")
    sent(amara, bilal, "30.00", note="Rent")

    answer = staff_page("support").get(f"/admin/customers/{amara.id}")

    assert "70.00" in answer.one("section[aria-labelledby=balances]").text
    assert "Bilal Haddad" in answer.one("section[aria-labelledby=transactions]").text
    assert amara.email in answer.text


def test_where_people_are_is_for_those_who_may_see_the_audit_trail(staff_page, amara, page_of):
    page_of(amara)

    for role, sees in (("support", False), ("finance", False), ("admin", True), ("owner", True)):
        answer = staff_page(role).get(f"/admin/customers/{amara.id}")
        sessions = answer.one("section[aria-labelledby=sessions]").text
        assert ("Address" in sessions) is sees, role
        assert ("10." in sessions) is sees, role
        assert bool(answer.all("section[aria-labelledby=trail]")) is sees, role


@pytest.mark.parametrize("path", ["/admin/customers/0", "/admin/customers/99999999999999999999999999"])
def test_nobody_has_that_id(staff_page, path):
    assert staff_page("admin").get(path).status == 404


def test_a_factor_reset_is_begun_and_then_shown_as_waiting(app, staff_page, amara):
    enrol_totp(app, amara)
    page = staff_page("admin")
    assert (
        "an app" in page.get(f"/admin/customers/{amara.id}").one("section[aria-labelledby=signing-in]").text
    )

    answer = page.submit(f"/admin/customers/{amara.id}/factor-reset", reason="Phone lost, asked by post")

    assert "Reset begun" in page.follow(answer).text
    again = page.submit(f"/admin/customers/{amara.id}/factor-reset", reason="Again")
    assert again.status == 422
    assert "under way already" in again.text


def test_who_has_no_second_factor_is_offered_no_reset(staff_page, amara):
    answer = staff_page("admin").get(f"/admin/customers/{amara.id}")

    assert not answer.all("a[href$=factor-reset]")
