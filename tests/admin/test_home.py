"""The first page of staff, and the navigation that each role is given."""

from __future__ import annotations

from datetime import timedelta

import pytest

from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow

ROOMS = {
    "support": ["Home", "Customers", "Transactions"],
    "finance": ["Home", "Customers", "Transactions", "Approvals"],
    "admin": ["Home", "Customers", "Transactions", "Approvals", "Audit trail"],
    "owner": ["Home", "Customers", "Transactions", "Approvals", "Audit trail", "Staff"],
}


@pytest.mark.parametrize("role", ROOMS)
def test_the_navigation_leads_only_where_the_role_may_go(staff_page, role):
    page = staff_page(role)
    links = page.get("/admin/").all("nav.rooms a:not(.keys)")

    assert [link.get_text(strip=True) for link in links] == ROOMS[role]
    assert [page.get(link["href"]).status for link in links] == [200] * len(links)


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


def test_books_that_nobody_has_proven_lately_are_told(app, staff_page, monkeypatch):
    monkeypatch.setattr("advancia.admin.home.PROOF_IS_LATE", timedelta(seconds=-1))

    assert "ledger_check" in staff_page("support").get("/admin/").text


def test_the_keys_are_told_on_a_page_of_their_own(staff_page):
    page = staff_page("owner")
    keys = [link["data-key"] for link in page.get("/admin/").all("nav.rooms a")]

    assert keys == ["g h", "g c", "g t", "g p", "g a", "g s", "?"]
    assert "To the search" in page.get("/admin/keys").text
