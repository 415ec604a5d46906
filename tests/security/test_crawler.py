"""Every route, as everybody: what comes of it is what the permission table says, whatever id stands in its address."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from urllib.parse import urlsplit

import pytest
from sqlalchemy import event, func, update

from advancia.core.db import db, unit_of_work
from advancia.identity.models import User, UserSession
from advancia.ops import lockdown
from tests.security.objects import Place, place
from tests.security.permissions import EVERYBODY, FRESH, LEAVES, NEEDS_MORE, ROLES, TABLE
from tests.support.pages import Answer, InProcess, Page, adopt_session
from tests.support.people import new_customer, new_staff

STAFF = [role for role in ROLES if role != "customer"]
FROM_HERE = {"Origin": "http://localhost"}
# Routes on which a provider is talked to, so that it has to be there.
AT_THE_PROVIDER = ("/deposits", "/admin/payments", "/webhooks")
SENT_AWAY = {"/login", "/confirm"}
# A whole page is asked for, and what htmx asks for to put it into one.
PAGE_AND_FRAGMENT = (None, "main#main")
# What the server notes of its own accord about whoever asks, and about those whom it refuses.
NOTED = ("user_session", "audit", "limits", "attempt")


@pytest.fixture(scope="module")
def crowd(app):
    """One of each kind: every role, and a customer and staff who are suspended."""
    people = {role: new_staff(app, role) for role in STAFF}
    people |= {
        "customer": new_customer(app, "Bilal Haddad", USD="9.00"),
        "suspended": new_customer(app, "Sue Spence"),
    }
    people |= {"suspended staff": new_staff(app, "owner", "Sol Stone")}
    with app.app_context(), unit_of_work() as session:
        for name in ("suspended", "suspended staff"):
            session.execute(update(User).where(User.id == people[name].id).values(suspended_at=func.now()))
    return people


@dataclass(frozen=True)
class Visit:
    """What came of a request, and what it changed in the database."""

    answer: Answer
    changed: list[str]

    @property
    def came(self):
        return outcome(self.answer)


@pytest.fixture
def visit(app):
    """Send a request as that person, from a browser of its own, with a right token where the route asks for one."""

    def ask(person, route, where, *, htmx=None):
        page = Page(InProcess(app))
        if route.startswith("POST"):
            page.get("/login")
        if person is not None:
            adopt_session(page, app, person)
        with statements(app) as executed:
            answer = send(page, route, where, htmx=htmx)
        if "lockdown" in route:  # an owner is let in, and pauses all money
            with app.app_context():
                lockdown.lift(reason="The crawler was here")
        return Visit(answer, changes(executed))

    return ask


def send(page, route, where, *, htmx=None):
    if route.startswith("GET"):
        return page.get(where.path, htmx_target=htmx)
    return page.post(where.path, where.fields, htmx_target=htmx, headers=FROM_HERE)


def outcome(answer):
    """What the guard, or the route, made of the visitor."""
    if answer.status in (303, 204) and (
        leads := answer.headers.get("Location") or answer.headers.get("HX-Redirect")
    ):
        path = urlsplit(leads).path
        return path if path in SENT_AWAY else "in"
    return {403: "denied", 404: "absent"}.get(answer.status, "in" if answer.status < 500 else "broken")


def test_the_table_and_the_product_have_the_same_routes(app):
    there_are = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }

    assert there_are - set(TABLE) == set(), "say in tests/security/permissions.py who may"
    assert set(TABLE) - there_are == set(), "these are no more"
    assert set(TABLE) >= FRESH | LEAVES | NEEDS_MORE


@pytest.mark.parametrize("route", TABLE)
def test_a_route_refuses_everybody_whom_the_table_does_not_name(app, crowd, visit, route):
    where = place(app, route)
    refused = {*EVERYBODY, "suspended staff"} - TABLE[route] if TABLE[route] != EVERYBODY else ()
    for name, htmx in product(refused, PAGE_AND_FRAGMENT):
        visited = visit(crowd.get(name), route, where, htmx=htmx)
        at_the_door = name in ("nobody", "suspended", "suspended staff")
        assert visited.came == ("/login" if at_the_door else "denied"), name
        assert not [mark for mark in where.marks if mark in visited.answer.html], name
        assert visited.changed == [], name


@pytest.mark.parametrize("route", TABLE)
def test_a_route_lets_in_everybody_whom_the_table_names(app, crowd, visit, request, route):
    if any(part in route for part in AT_THE_PROVIDER):
        request.getfixturevalue("sandbox")
    where = place(app, route)
    for name, htmx in product(TABLE[route], PAGE_AND_FRAGMENT):
        if not route.startswith("GET"):  # what the one has changed is not for the next to find
            where = place(app, route)
        person = where.owner if name == "customer" else crowd.get(name)
        visited = visit(person, route, where, htmx=htmx)
        if TABLE[route] == EVERYBODY:
            assert visited.came not in ("denied", "broken"), (name, visited.answer.text)
        elif name == "customer" or not is_own(route):
            assert visited.came == "in" or route in LEAVES | NEEDS_MORE, (
                name,
                visited.came,
                visited.answer.text,
            )


@pytest.mark.parametrize(
    "route", [route for route, who in TABLE.items() if "customer" in who and who != EVERYBODY]
)
def test_what_is_somebodys_is_not_there_for_anybody_else(app, crowd, visit, route):
    where = place(app, route)
    for stranger, htmx in product(TABLE[route], PAGE_AND_FRAGMENT):
        visited = visit(crowd[stranger], route, where, htmx=htmx)
        assert not [mark for mark in where.marks[:3] if mark in visited.answer.html], stranger
        if is_own(route):
            assert visited.came == "absent", (stranger, visited.came)
            assert visited.changed == [], stranger


def is_own(route):
    """Whether the address names something that belongs to one person."""
    return "<" in route and "customer" in TABLE[route] and TABLE[route] != EVERYBODY


@pytest.mark.parametrize(
    "route", [each for each, who in TABLE.items() if each.startswith("GET") and who != EVERYBODY]
)
def test_every_page_of_somebody_signed_in_offers_to_sign_out_and_is_kept_by_no_cache(
    app, crowd, visit, route
):
    where = place(app, route)
    allowed = next(role for role in ROLES if role in TABLE[route])
    answer = visit(where.owner if allowed == "customer" else crowd[allowed], route, where).answer

    assert answer.headers["Cache-Control"] == "no-store"
    if answer.status == 200 and answer.headers["Content-Type"].startswith("text/html"):
        assert answer.all("header form[action='/logout'] button")


WRONG = ["0", "-1", "1e9", "9" * 30, "None", "..%2f..%2fetc%2fpasswd", "%00", "%F0%9F", "'", "a" * 3000]


@pytest.mark.parametrize("route", [route for route in TABLE if "<" in route])
def test_an_id_of_nothing_is_not_found(crowd, visit, route):
    allowed = next(role for role in ROLES if role in TABLE[route])
    for wrong in WRONG:
        path = re.sub(r"<[^>]*>", wrong, route.partition(" ")[2])
        answer = visit(crowd[allowed], route, Place(path, {}, crowd[allowed])).answer
        assert answer.status in (303, 400, 404, 405, 410, 422), (wrong, answer.text)


@pytest.mark.parametrize("route", [route for route, who in TABLE.items() if "customer" not in who])
def test_staff_without_a_second_factor_get_to_no_page_of_staff(app, visit, route):
    where = place(app, route)
    for role in TABLE[route]:
        person = new_staff(app, role)
        with app.app_context(), unit_of_work() as session:
            session.execute(update(User).where(User.id == person.id).values(second_factor_since=None))
        visited = visit(person, route, where)
        assert urlsplit(visited.answer.location).path in ("/settings/security", "/confirm"), role
        assert visited.changed == [], role


@pytest.mark.parametrize("route", [route for route, who in TABLE.items() if who != EVERYBODY])
def test_what_is_most_worth_guarding_asks_for_a_proof_that_is_not_old(app, crowd, route):
    where = place(app, route)
    allowed = next(role for role in ROLES if role in TABLE[route])
    person = where.owner if allowed == "customer" else crowd[allowed]
    page = Page(InProcess(app))
    page.get("/login")
    adopt_session(page, app, person)
    long_ago = func.now() - timedelta(minutes=6)
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(UserSession)
            .where(UserSession.user_id == person.id)
            .values(confirmed_at=long_ago, password_at=long_ago, second_factor_at=long_ago)
        )
    answer = send(page, route, where)

    assert (outcome(answer) == "/confirm") is (route in FRESH), answer.status


@contextmanager
def statements(app):
    """What the database is asked for meanwhile."""
    executed = []

    def note(_connection, _cursor, statement, *_rest):
        executed.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(engine, "before_cursor_execute", note)


def changes(executed):
    """Those statements that change something, but for what the server notes about whoever asks."""
    writes = [
        each
        for each in executed
        if re.match(r"\s*(insert|update|delete|merge|select ledger\.post)", each, re.I)
    ]
    return [each for each in writes if not any(name in each[:80].lower() for name in NOTED)]
