"""The audit trail: found by who, what, on what and when, taken along as a table, and not to be flooded."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from advancia import audit
from advancia.admin import denials
from advancia.audit import records_by
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.permissions import Permission
from tests.support.people import new_staff


@pytest.fixture
def admin(app):
    return new_staff(app, "admin", "Ada Brandt")


@pytest.fixture
def admin_page(staff_page, admin):
    return staff_page("admin", admin)


@pytest.fixture
def thing():
    """Something that nobody else writes about."""
    return uuid4().hex


@pytest.fixture
def write(app, admin):
    """Write lines: `write(thing, action="thing.made", after={...})`; return the number of the last one."""

    def lines(thing, *, times=1, action="thing.made", **more):
        actor = Actor(user_id=admin.id, role="admin", address="203.0.113.7", request_id="request-1")
        with app.app_context(), unit_of_work() as session:
            return [
                audit.record(session, actor, action=action, kind="thing", id=thing, **more)
                for _ in range(times)
            ][-1]

    return lines


def numbers(answer):
    return [int(link["href"].rpartition("/")[2]) for link in answer.all("#results tbody a.reach")]


def test_a_line_tells_who_did_what_to_what_and_why(admin_page, write, thing):
    number = write(thing, before={"limit": 1}, after={"limit": 2, "added": True}, reason="Case 12")

    row = (
        admin_page.get(f"/admin/audit/?object_id={thing}").one("#results tbody tr").get_text(" ", strip=True)
    )
    assert "thing.made" in row
    assert "Ada Brandt" in row
    assert "limit 1 → 2" in " ".join(row.split())
    assert "Case 12" in row
    shown = admin_page.get(f"/admin/audit/{number}")
    assert "203.0.113.7" in shown.text
    assert "request-1" in shown.text


def test_lines_are_found_by_each_filter_and_by_all_together(app, admin, admin_page, write, thing):
    number = write(thing, action=f"thing.{thing[:6]}")

    for query in (
        f"object_id={thing}", f"who={admin.email}", f"who={admin.id}", f"who=@{admin.handle}",
        f"action=thing.{thing[:6]}", f"who={admin.id}&object_id={thing}&since=2020-01-01&until=2099-01-01",
    ):  # fmt: skip
        assert number in numbers(admin_page.get(f"/admin/audit/?{query}")), query
    for query in (
        f"object_id={thing}&who=system", f"object_id={thing}&until=2020-01-01", f"object_id={thing}&kind=user",
        f"object_id={thing}&since=2099-01-01", f"object_id={thing}&who=nobody@nowhere.example",
    ):  # fmt: skip
        assert numbers(admin_page.get(f"/admin/audit/?{query}")) == [], query


@pytest.mark.parametrize(
    "query",
    [
        "who=%00",
        "action=%00",
        "since=0001-01-01",
        "kind=%00",
        "action=nothing.like.it",
        "kind=x",
        "object_id=%27",
        "since=x",
        "before=x",
        "who=999999999999999999999",
    ],
)
def test_an_address_that_makes_no_sense_still_gives_a_page_and_a_file(admin_page, query):
    assert admin_page.get(f"/admin/audit/?{query}").status == 200
    assert admin_page.get(f"/admin/audit/audit.csv?{query}").status == 200


def test_the_list_goes_on_where_the_page_before_ended(admin_page, write, thing, monkeypatch):
    monkeypatch.setattr("advancia.admin.trail.views.PAGE_SIZE", 3)
    write(thing, times=7)

    answer = admin_page.get(f"/admin/audit/?object_id={thing}")
    seen = numbers(answer)
    while older := answer.all("a[rel=next]"):
        answer = admin_page.get(older[0]["href"])
        seen += numbers(answer)
    assert len(seen) == 7
    assert seen == sorted(seen, reverse=True)


def test_it_is_taken_along_as_csv_in_which_nothing_is_a_formula(admin_page, write, thing):
    write(thing, reason='=HYPERLINK("http://evil.example")', after={"note": 'a,\n"b"'})

    answer = admin_page.get(f"/admin/audit/audit.csv?object_id={thing}")

    (row,) = csv.DictReader(io.StringIO(answer.html))
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert row["reason"] == '\'=HYPERLINK("http://evil.example")'
    assert row["object_id"] == thing
    assert row["after"] == '{"note": "a,\\n\\"b\\""}'


def test_a_file_has_an_end(admin_page, write, thing, monkeypatch):
    monkeypatch.setattr("advancia.admin.trail.views.LONGEST_FILE", 3)
    write(thing, times=5)

    assert len(admin_page.get(f"/admin/audit/audit.csv?object_id={thing}").html.splitlines()) == 4


def test_support_and_finance_do_not_see_it(staff_page):
    for role in ("support", "finance"):
        page = staff_page(role)
        for path in ("/admin/audit/", "/admin/audit/1", "/admin/audit/audit.csv"):
            assert page.get(path).status == 403


def denied(app, person):
    with app.app_context():
        return [
            line
            for line in records_by(db.session(), actor_id=person.id, limit=100)
            if line.action == denials.ACTION
        ]


def test_who_is_refused_a_page_stands_in_the_trail_once_for_the_same_page(app, staff_page, customer, page_of):
    support, amara = new_staff(app, "support"), customer()
    theirs = staff_page("support", support)
    for _ in range(3):
        theirs.get("/admin/audit/")
    page_of(amara).get("/admin/")

    (line,) = denied(app, support)
    assert (line.object_kind, line.object_id, line.after) == (
        "page",
        "/admin/audit/",
        {"permission": "see_audit"},
    )
    assert denied(app, amara)[0].role == "customer"


def test_whoever_asks_for_a_thousand_pages_does_not_fill_the_trail(app):
    support = new_staff(app, "support")
    actor = Actor(user_id=support.id, role="support", address=None, request_id=None)

    def ask(number):
        with app.app_context():
            denials.note(actor, f"/admin/audit/{number}", Permission.SEE_AUDIT)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(100)))

    assert 1 <= len(denied(app, support)) <= denials.IN_AN_HOUR
