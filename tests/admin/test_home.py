"""The first page of staff, and the navigation that each role is given."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import url_for

from advancia.admin.rooms import ROOMS
from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow

STAFF = ["support", "finance", "admin", "owner"]


@pytest.mark.parametrize("role", STAFF)
def test_the_navigation_leads_where_the_role_may_go_and_nowhere_else(app, staff_page, role):
    page = staff_page(role)
    links = {link["href"] for link in page.get("/admin/").all("nav.rooms a:not(.keys)")}
    with app.test_request_context():
        rooms = {url_for(room.endpoint) for room in ROOMS}

    assert links <= rooms
    assert {path for path in rooms if page.get(path).status == 200} == links


def test_support_sees_least_and_an_owner_everything(staff_page):
    def rooms(role):
        return [
            link.get_text(strip=True)
            for link in staff_page(role).get("/admin/").all("nav.rooms a:not(.keys)")
        ]

    assert rooms("support")[:3] == ["Home", "Customers", "Transactions"]
    assert not {"Audit trail", "Staff", "Approvals"} & set(rooms("support"))
    assert rooms("owner") == [room.words for room in ROOMS]


def test_every_page_says_where_one_is(staff_page, customer):
    amara, page = customer(), staff_page("owner")

    for path, words in (
        ("/admin/", "Home"), ("/admin/customers/", "Customers"), (f"/admin/customers/{amara.id}", "Customers"),
        ("/admin/audit/", "Audit trail"), ("/admin/staff/", "Staff"),
    ):  # fmt: skip
        assert page.get(path).one("nav.rooms a[aria-current]").get_text(strip=True) == words


def test_work_that_gave_up_is_told(app, staff_page):
    with app.app_context(), unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
        session.flush()
        row = session.query(OutboxRow).order_by(OutboxRow.id.desc()).first()
        row.parked_at = utcnow()
        row_id = row.id
    try:
        assert "of background work gave up" in staff_page("support").get("/admin/").text
    finally:
        with app.app_context(), unit_of_work() as session:
            row = session.get(OutboxRow, row_id)
            row.done_at, row.parked_at = utcnow(), None


def test_books_that_nobody_has_proven_lately_are_told(customer, staff_page, monkeypatch):
    customer(USD="1.00")
    monkeypatch.setattr("advancia.ops.books.PROOF_IS_LATE", timedelta(seconds=-1))

    assert "ledger_check" in staff_page("support").get("/admin/").text


def test_each_room_has_a_key_of_its_own_and_a_page_tells_them(staff_page):
    page = staff_page("owner")
    keys = [link["data-key"] for link in page.get("/admin/").all("nav.rooms a")]

    assert len(keys) == len(set(keys)) == len(ROOMS) + 1
    told = page.get("/admin/keys").one("dl.keys-list").get_text(" ", strip=True)
    assert all(room.words in told for room in ROOMS)
