"""Every route says who may use it, and none that is fetched by GET changes anything."""

from __future__ import annotations

import re
from contextlib import contextmanager
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import event

from advancia.core.db import WriteOnSafeMethod, db, reading_only, unit_of_work
from advancia.web.access import Access, access_of
from tests.support.pages import InProcess, Page

# Whoever adds a route without a session to it says so here as well, where a reviewer sees it.
OPEN_TO_ALL = {
    "public.home", "public.terms", "public.help", "ops.status",
    "identity.signup", "identity.create_signup", "identity.verify_email", "identity.check_code",
    "identity.resend_code", "identity.login", "identity.create_session", "identity.logout",
    "recovery.forgot_password", "recovery.ask_password_reset", "recovery.password_reset_sent",
    "recovery.reset_password", "recovery.finish_password_reset", "recovery.check_password",
    "recovery.answer_email_change", "recovery.agree_to_email_change", "recovery.stop_email_change_by_link",
    "recovery.factor_reset", "recovery.finish_factor_reset", "recovery.cancel_factor_reset_by_link",
    "factors.second_factor", "factors.prove_second_factor", "factors.second_factor_challenge",
    "factors.sign_in_with_passkey", "factors.passkey_challenge",
    "dev.mailbox", "dev.message", "well_known.security_txt", "well_known.change_password",
}  # fmt: skip
WRITES = re.compile(
    r"\s*(insert|update|delete|merge|truncate|select ledger\.post|.*\bledger\.post\()", re.IGNORECASE
)
# What a refusal leaves behind, and nothing else may: its line in the audit trail.
NOTES_A_DENIAL = re.compile(r"\s*insert into audit_record\b", re.IGNORECASE)
# Its form asks for nothing when everything has just been proved, whatever is sent: it leads on and changes nothing.
LEADS_ON = {"factors.prove"}
FOR_MACHINES = {"webhooks.stripe", "webhooks.cryptomus", "reports.receive", "ops.health", "ops.api_health"}


def endpoints(app: Flask) -> list[str]:
    return [name for name in app.view_functions if name != "static"]


def test_every_route_declares_who_may_use_it(app):
    undeclared = [name for name in endpoints(app) if access_of(app.view_functions[name]) is None]

    assert undeclared == []


def test_only_the_listed_routes_are_open_without_a_session(app):
    def declared(access: Access) -> set[str]:
        return {name for name in endpoints(app) if access_of(app.view_functions[name]) is access}

    assert declared(Access.PUBLIC) == OPEN_TO_ALL
    assert declared(Access.MACHINE) == FOR_MACHINES


def test_a_route_that_forgot_to_declare_is_refused(settings):
    from advancia.app import create_app

    app = create_app(settings)
    app.add_url_rule("/forgotten", "forgotten", lambda: "open door")

    assert Page(InProcess(app)).get("/forgotten").status == 403


def test_what_is_for_customers_sends_strangers_to_the_sign_in(app, page):
    for rule in app.url_map.iter_rules():
        if access_of(app.view_functions[rule.endpoint]) is Access.CUSTOMER and "GET" in (rule.methods or ()):
            answer = page.get(example_of(rule.rule))
            assert (answer.status, answer.location.partition("?")[0]) == (303, "/login"), rule.rule


def test_every_form_refuses_a_forged_token_and_changes_nothing(app, customer, page_of):
    amara, stranger = customer(USD="10.00"), Page(InProcess(app))
    signed_in = page_of(amara)
    right_but_for_the_token = {
        "email": amara.email, "password": amara.password, "name": "Amara", "terms": "y", "code": "000000",
        "recipient": customer("Bilal Haddad").email, "asset": "USD", "amount": "1.00", "note": "",
        "provider": "sandbox", "request_id": str(uuid4()), "csrf_token": "forged",
    }  # fmt: skip
    assert (
        stranger.submit("/signup", **{**right_but_for_the_token, "csrf_token": filled_token(stranger)}).status
        == 303
    )

    with statements(app) as executed:
        for rule in app.url_map.iter_rules():
            if "POST" not in (rule.methods or ()) or rule.endpoint in FOR_MACHINES:
                continue
            for page in (stranger, signed_in):
                answer = page.post(example_of(rule.rule), right_but_for_the_token)
                refused = (
                    answer.status in (400, 403, 422)
                    or rule.endpoint in LEADS_ON
                    or answer.headers.get("Location", "").partition("?")[0] == "/login"
                )
                assert refused, (rule.rule, answer.status)
    assert changes(executed) == []


def filled_token(page):
    page.get("/signup")
    return page.csrf_token


def changes(executed):
    return [each for each in executed if WRITES.match(each) and not NOTES_A_DENIAL.match(each)]


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


def test_no_get_changes_anything(app, customer, page_of):
    amara = customer(USD="10.00")
    page = page_of(amara)
    with statements(app) as executed:
        visited = [
            page.get(example_of(rule.rule)).status
            for rule in app.url_map.iter_rules()
            if "GET" in (rule.methods or ()) and rule.endpoint != "static"
        ]

    assert len(visited) > 10
    assert not [status for status in visited if status >= 500]
    assert changes(executed) == []


def test_a_unit_of_work_cannot_be_opened_while_a_get_is_answered(app_context):
    with reading_only(), pytest.raises(WriteOnSafeMethod), unit_of_work():
        pytest.fail("The unit of work was opened.")


def example_of(rule: str) -> str:
    """The rule with something in the place of its variables."""
    rule = re.sub(r"<uuid:\w+>", "00000000-0000-4000-8000-000000000000", rule)
    rule = re.sub(r"<int:\w+>", "1", rule)
    return re.sub(r"<\w+>", "something", rule)
