"""Where somebody is signed in: what they see of it, what they can end, and when it ends by itself."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from advancia.app import create_app
from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.permissions import Permission
from advancia.identity import visitor
from advancia.identity.sessions import services
from advancia.web.access import staff_required
from tests.identity.conftest import FIREFOX, IPHONE
from tests.identity.test_sign_in import log_in
from tests.support.pages import InProcess, Page, adopt_session
from tests.support.people import new_staff


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


def is_signed_in(page):
    return page.get("/settings/sessions").status == 200


def actions_of(rows, person):
    """What the audit trail says of the person."""
    found = rows(
        "SELECT action FROM audit_record WHERE object_kind = 'user' AND object_id = :id ORDER BY id",
        id=str(person.id),
    )
    return [row.action for row in found]


def test_the_list_tells_device_place_and_which_one_is_this(browser_of, amara):
    page = browser_of(amara, FIREFOX, "203.0.113.9")
    browser_of(amara, IPHONE, "2001:db8::7")

    answer = page.get("/settings/sessions")
    here, elsewhere = (" ".join(each.text.split()) for each in answer.all(".devices:not(.quiet) > li"))
    assert here.startswith("Firefox on Linux This browser 203.0.113.9 Signed in: Today")
    assert "Safari on iPhone" in elsewhere
    assert "Last used: Today" in elsewhere
    assert answer.one("button[aria-label^='End the session in Safari on iPhone']")


def test_another_session_is_ended_by_its_button_and_the_audit_trail_has_it(browser_of, amara, rows):
    page, other = browser_of(amara), browser_of(amara, IPHONE)
    listed = page.get("/settings/sessions")
    assert page.submit_form(listed, ".devices form").location == "/settings/sessions"

    assert is_signed_in(page)
    assert not is_signed_in(other)
    assert actions_of(rows, amara)[-1] == "session.ended"
    ended = page.get("/settings/sessions").one(".devices.quiet").text
    assert "Safari on iPhone" in ended
    assert "Ended: Today" in " ".join(ended.split())


def test_ending_a_session_twice_does_no_harm(browser_of, amara, rows):
    page, _other = browser_of(amara), browser_of(amara, IPHONE)
    listed = page.get("/settings/sessions")
    for _ in range(2):
        assert page.submit_form(listed, ".devices form").location == "/settings/sessions"

    assert actions_of(rows, amara).count("session.ended") == 1


def test_nobody_ends_a_session_of_somebody_else(browser_of, amara, customer, rows):
    page, others = browser_of(amara), browser_of(customer("Bilal Haddad"))
    page.get("/settings/sessions")
    (newest,) = rows("SELECT max(id) AS id FROM user_session")
    answer = page.post(f"/settings/sessions/{newest.id}/end")

    assert answer.status == 404
    assert is_signed_in(others)


def test_all_others_are_ended_at_once_and_this_one_stays(browser_of, amara):
    page, *others = (browser_of(amara, agent) for agent in (FIREFOX, IPHONE, IPHONE))
    assert page.submit("/settings/sessions", "form[action$='/others/end']").location == "/settings/sessions"

    assert is_signed_in(page)
    assert not any(is_signed_in(other) for other in others)


def test_all_are_ended_and_this_one_as_well(browser_of, amara, rows):
    page, other = browser_of(amara), browser_of(amara, IPHONE)
    answer = page.submit("/settings/sessions", "form[action$='/all/end']")

    assert answer.location == "/login"
    assert "You are signed out everywhere." in page.follow(answer).text
    assert not is_signed_in(page)
    assert not is_signed_in(other)
    assert actions_of(rows, amara)[-1] == "sessions.ended"


@pytest.mark.parametrize("way", ["/{id}/end", "/others/end", "/all/end"])
def test_ending_sessions_asks_whoever_has_not_proved_lately_who_they_are(
    browser_of, amara, rows, change, way
):
    page, other = browser_of(amara), browser_of(amara, IPHONE)
    page.get("/settings/sessions")
    (newest,) = rows("SELECT max(id) AS id FROM user_session WHERE user_id = :id", id=amara.id)
    change(
        "UPDATE user_session SET confirmed_at = now() - interval '6 minutes' WHERE user_id = :id", id=amara.id
    )
    answer = page.post("/settings/sessions" + way.format(id=newest.id))

    assert answer.location.startswith("/confirm")
    assert is_signed_in(other)


@pytest.mark.parametrize(
    ("role", "idle", "absolute"),
    [
        ("customer", 60, 24 * 60),
        ("support", 15, 12 * 60),
        ("finance", 15, 12 * 60),
        ("admin", 15, 12 * 60),
        ("owner", 15, 12 * 60),
    ],
)
def test_a_session_runs_out_by_the_role(
    app, staff_page, page_of, customer, change, role, idle, absolute, rows
):
    def opened():
        page = page_of(customer("Amara Okafor")) if role == "customer" else staff_page(role)
        (newest,) = rows("SELECT max(id) AS id FROM user_session")
        return page, newest.id

    unused = "UPDATE user_session SET last_used_at = now() - make_interval(mins => :age) WHERE id = :id"
    old = "UPDATE user_session SET created_at = now() - make_interval(mins => :age) WHERE id = :id"
    for ageing, limit in ((unused, idle), (old, absolute)):
        for age, goes_on in ((limit - 1, True), (limit + 1, False)):
            page, session_id = opened()
            change(ageing, age=age, id=session_id)
            assert is_signed_in(page) is goes_on, (role, ageing, age)


def test_a_session_that_nobody_ended_ran_out(browser_of, amara, change, rows):
    page, _other = browser_of(amara), browser_of(amara, IPHONE)
    change(
        "UPDATE user_session SET last_used_at = now() - interval '2 hours' WHERE id = (SELECT max(id) FROM user_session"
        " WHERE user_id = :id)",
        id=amara.id,
    )
    answer = page.get("/settings/sessions")

    assert len(answer.all(".devices:not(.quiet) > li")) == 1
    assert "Ran out" in answer.one(".devices.quiet").text


def test_who_it_is_and_whether_they_may_is_asked_in_one_query(app, browser_of, amara):
    page = browser_of(amara)
    with app.app_context():
        engine = db.engine
    about_sessions = []

    def note(_connection, _cursor, statement, *_rest):
        about_sessions.append(statement) if "user_session" in statement else None

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert page.get("/wallet").status == 200
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(about_sessions) == 1


def test_suspension_counts_from_the_next_request(browser_of, amara, change):
    page = browser_of(amara)
    assert is_signed_in(page)
    change("UPDATE users SET suspended_at = now() WHERE id = :id", id=amara.id)

    assert not is_signed_in(page)


def test_another_role_counts_from_the_next_request_in_sessions_that_are_open(settings, change):
    other_app = create_app(settings)
    other_app.add_url_rule("/for-admins", view_func=staff_required(Permission.SUSPEND)(lambda: "open"))
    person = new_staff(other_app, "admin")
    page = adopt_session(Page(InProcess(other_app)), other_app, person)
    assert page.get("/for-admins").status == 200
    change("UPDATE users SET role = 'support' WHERE id = :id", id=person.id)

    assert page.get("/for-admins").status == 403


def test_a_token_fixed_beforehand_opens_nothing_after_the_sign_in(app, browser_of, amara):
    """Whoever plants their own cookie in my browser before I sign in learns nothing of my session."""
    attacker, page = browser_of(amara, IPHONE), Page(InProcess(app))
    planted = attacker.transport.client.get_cookie("session").value
    attacker.submit_form(attacker.get("/wallet"), "form[action$='/logout']")
    page.transport.client.set_cookie("session", planted)
    assert log_in(page, amara.email, amara.password).status == 303
    attacker.transport.client.set_cookie("session", planted)

    assert is_signed_in(page)
    assert not is_signed_in(attacker)


def test_a_rise_of_privilege_gives_a_new_token_and_kills_the_old_one(app, browser_of, amara, rows):
    page = browser_of(amara)
    stolen = page.transport.client.get_cookie("session").value
    (opened,) = rows("SELECT max(id) AS id FROM user_session WHERE user_id = :id", id=amara.id)
    with app.test_request_context("/"), unit_of_work() as session:
        token = services.renew(session, session_id=opened.id, second_factor=True)

    page.transport.client.set_cookie("session", stolen)
    assert not is_signed_in(page)
    with app.test_request_context("/"):
        found = visitor.load(token)
    assert found.session_id == opened.id
    assert found.second_factor_at is not None


def test_signing_in_and_out_and_failing_leave_lines_in_the_audit_trail(app, page, amara, rows):
    log_in(page, amara.email, "not it at all")
    log_in(page, amara.email, amara.password)
    page.submit_form(page.get("/wallet"), "form[action$='/logout']")

    lines = rows(
        "SELECT * FROM audit_record WHERE object_kind = 'user' AND object_id = :id ORDER BY id",
        id=str(amara.id),
    )
    assert [line.action for line in lines] == ["sign_in.failed", "session.started", "session.signed_out"]
    assert [line.role for line in lines] == ["stranger", "customer", "customer"]
    assert {line.address for line in lines} == {page.transport.client.environ_base["REMOTE_ADDR"]}
    assert all(line.request_id for line in lines)


def test_a_failure_at_an_address_nobody_has_is_written_down_without_it(page, rows):
    log_in(page, "somebody-else@test.example", "not it at all")

    (line,) = rows(
        "SELECT * FROM audit_record WHERE action = 'sign_in.failed' AND address = :address",
        address=page.transport.client.environ_base["REMOTE_ADDR"],
    )
    assert line.object_id == "nobody"
    assert "somebody-else" not in str(line)


def test_the_sweep_forgets_sessions_a_month_after_their_end_and_not_before(
    app, browser_of, amara, change, rows, work
):
    for agent in (FIREFOX, IPHONE, FIREFOX):
        browser_of(amara, agent)
    first, second, third = (
        row.id for row in rows("SELECT id FROM user_session WHERE user_id = :id ORDER BY id", id=amara.id)
    )
    change("UPDATE user_session SET ended_at = now() - interval '31 days' WHERE id = :id", id=first)
    change("UPDATE user_session SET ended_at = now() - interval '29 days' WHERE id = :id", id=second)
    with app.app_context(), unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
    work()

    left = [
        row.id for row in rows("SELECT id FROM user_session WHERE user_id = :id ORDER BY id", id=amara.id)
    ]
    assert left == [second, third]
