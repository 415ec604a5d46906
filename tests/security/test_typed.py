"""What was typed into a form comes back when the form could not be taken, for the same person and nobody else."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import update

from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.identity.models import UserSession
from advancia.web import typed
from tests.security.objects import place
from tests.security.permissions import EVERYBODY, ROLES, TABLE
from tests.support.factors import let_minutes_pass
from tests.support.pages import InProcess, Page, adopt_session, filled_in, sign_in
from tests.support.people import new_staff

FROM_HERE = {"Origin": "http://localhost"}
NOTE = "Für die Küche <b>& mehr</b> 🍲"
SENT = {"recipient": "bilal@test.example", "asset": "USD", "amount": "12.5", "note": NOTE}


@pytest.fixture
def leave(app):
    """Let the sessions of that person run out."""

    def run_out(person):
        with app.app_context(), unit_of_work() as session:
            session.execute(
                update(UserSession)
                .where(UserSession.user_id == person.id)
                .values(last_used_at=utcnow() - timedelta(hours=2))
            )

    return run_out


def send(page, action="/transfers/review", stood_on="/transfers/new", more=FROM_HERE, **fields):
    headers = {"Referer": f"http://localhost{stood_on}", **more}
    return page.post(action, {**SENT, "request_id": str(uuid4()), **fields}, headers=headers)


def typed_on(answer, form="#transfer-form"):
    return {name: value for name, value in filled_in(answer.one(form)).items() if name in SENT}


def test_after_an_idle_time_out_the_form_is_there_again_once_its_person_has_signed_in(
    customer, page_of, leave
):
    amara = customer(USD="100.00")
    page = page_of(amara)
    page.get("/transfers/new")
    leave(amara)

    sent_away = send(page)
    assert sent_away.location == "/login?next=/transfers/new"
    door = page.follow(sent_away)
    assert "You were signed out meanwhile. What you typed will be there afterwards." in door.text

    back = page.follow(page.submit_form(door, email=amara.email, password=amara.password))
    assert typed_on(back) == SENT
    assert (
        "This has not been sent yet. Check it and send it again."
        in back.one("[role=alert].error-summary").text
    )
    assert NOTE not in back.html  # it is escaped
    assert typed_on(page.get("/transfers/new")) == SENT  # also after a reload

    assert page.submit_form(back, recipient=customer("Bilal Haddad").email).status == 303
    assert "typed" not in {cookie.key for cookie in page.transport.client._cookies.values()}


def test_a_review_that_comes_too_late_leads_back_to_what_is_to_be_sent_and_sends_nothing(
    customer, page_of, leave, books
):
    amara, bilal = customer(USD="100.00"), customer("Bilal Haddad")
    page = page_of(amara)
    review = page.follow(page.submit("/transfers/new", **{**SENT, "recipient": bilal.email}))
    leave(amara)
    sent_away = page.transport.send(
        "POST",
        "/transfers",
        filled_in(review.one("#transfer-review")),
        {**FROM_HERE, "Referer": "http://localhost/transfers/review"},
    )
    back = page.follow(page.submit_form(page.follow(sent_away), email=amara.email, password=amara.password))
    back = page.follow(back) if back.status == 303 else back

    assert typed_on(back) == {**SENT, "recipient": bilal.email}
    assert (
        filled_in(back.one("#transfer-form"))["request_id"]
        == filled_in(review.one("#transfer-review"))["request_id"]
    )


def test_an_old_token_leads_back_to_the_form_for_scripts_too(customer, page_of):
    page = page_of(customer(USD="100.00"))
    page.get("/deposits/new")
    answer = page.post(
        "/logout",
        {"csrf_token": "old"},
        headers={**FROM_HERE, "Referer": "http://localhost/wallet", "HX-Request": "true"},
    )

    assert answer.headers["HX-Redirect"] == "/wallet"
    assert "so nothing was changed. Press the button again." in page.get("/wallet").text


def test_somebody_else_who_signs_in_there_finds_nothing(customer, page_of, leave):
    amara, bilal = customer(USD="100.00"), customer("Bilal Haddad", USD="1.00")
    page = page_of(amara)
    page.get("/transfers/new")
    leave(amara)
    sent_away = send(page)

    back = page.follow(page.submit_form(page.follow(sent_away), email=bilal.email, password=bilal.password))

    assert typed_on(back) == {"recipient": "", "asset": "USD", "amount": "", "note": ""}
    assert "typed" not in {cookie.key for cookie in page.transport.client._cookies.values()}


@pytest.mark.parametrize(
    "more",
    [
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"},
        {"Origin": "null"}, {"Sec-Fetch-Site": "none"},
    ],
)  # fmt: skip
def test_what_another_site_sent_is_not_kept(customer, page_of, leave, more):
    amara = customer(USD="100.00")
    page = page_of(amara)
    page.get("/transfers/new")
    leave(amara)
    send(page, more=more)

    assert "typed" not in {cookie.key for cookie in page.transport.client._cookies.values()}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_sent_is_refused_even_with_the_right_token(customer, page_of, site):
    amara, bilal = customer(USD="100.00"), customer("Bilal Haddad")
    page = page_of(amara)
    page.get("/transfers/new")

    assert send(page, recipient=bilal.email, more={"Sec-Fetch-Site": site}).status == 400


def test_it_is_kept_for_half_an_hour(app, customer, page_of, leave, monkeypatch):
    amara = customer(USD="100.00")
    page = page_of(amara)
    page.get("/transfers/new")
    leave(amara)
    send(page)
    sign_in(page, amara)
    later = utcnow() + typed.KEPT_FOR
    monkeypatch.setattr(typed, "utcnow", lambda: later)

    assert typed_on(page.get("/transfers/new"))["note"] == ""


def test_passwords_and_codes_are_not_kept_and_the_cookie_cannot_be_read(app, customer, page_of, leave):
    amara = customer(USD="100.00")
    page = page_of(amara)
    page.get("/transfers/new")
    leave(amara)
    send(page, password="swordfish", code="123456", csrf_token=page.csrf_token)
    (cookie,) = [each for each in page.transport.client._cookies.values() if each.key == "typed"]
    with app.test_request_context("/transfers/new", headers={"Cookie": f"typed={cookie.value}"}) as context:
        session_cookie = page.transport.client.get_cookie("session").decoded_value
        context.session.update(app.session_interface.get_signing_serializer(app).loads(session_cookie))
        kept = typed.come_back()

    assert kept is not None
    assert set(kept) == {*SENT, "request_id"}
    assert cookie.http_only
    assert "bilal" not in cookie.value


def test_more_than_a_cookie_holds_is_not_kept_and_that_is_said(customer, page_of, leave):
    amara = customer(USD="100.00")
    page = page_of(amara)
    page.get("/transfers/new")
    leave(amara)
    sent_away = send(page, note="".join(uuid4().hex for _ in range(200)))

    assert "You were signed out meanwhile. Nothing was changed." in page.follow(sent_away).text


@pytest.mark.parametrize("value", ["", "x", "AAAA", "é", "A" * 4000])
def test_a_cookie_that_was_tampered_with_is_dropped(customer, page_of, value):
    page = page_of(customer(USD="100.00"))
    page.transport.client.set_cookie("typed", value)

    assert page.get("/transfers/new").status == 200
    assert "typed" not in {cookie.key for cookie in page.transport.client._cookies.values()}


OPENED = [route for route, who in TABLE.items() if route.startswith("GET") and who != EVERYBODY]
TYPED = "input:not([type=hidden]):not([type=password]):not([type=radio]):not([type=checkbox]), textarea"


def forms_on(answer):
    """The forms on the page that somebody types into, each with what they would type; secrets are nobody's to keep."""
    for form in answer.all("main form"):
        names = [str(field["name"]) for field in form.select(TYPED) if field.get("name")]
        words = {name: f"Typed into {name}" for name in names if not typed.NEVER_KEPT.search(name)}
        if words and str(form.get("method")).lower() == "post":
            yield form, words


@pytest.mark.parametrize("why", ["an old token", "an ended session", "an old proof"])
@pytest.mark.parametrize("route", OPENED)
def test_no_form_of_the_product_loses_what_was_typed(app, leave, route, why):
    """Every page with a form, by everybody's hand; a page without one passes, and the next test counts those with."""
    for form, words, page, path, person in opened_forms(app, route):
        sent = {**filled_in(form), **words}
        if why == "an old token":
            sent["csrf_token"] = "of another time"
        elif why == "an ended session":
            leave(person)
        else:
            let_minutes_pass(app, person)
        headers = {**FROM_HERE, "Referer": f"http://localhost{path}"}
        answer = page.transport.send("POST", str(form["action"]), sent, headers)
        if answer.status == 303 and urlsplit(answer.location).path in ("/login", "/confirm"):
            adopt_session(page, app, person)
            answer = page.get(path)
        elif answer.status == 303:
            answer = page.follow(answer)
        elif why == "an old proof":
            continue  # this form asks for none, and has refused or taken what was typed
        if why == "an old proof" and "has not been sent" not in answer.text:
            continue
        (again,) = [each for each in answer.all("main form") if each.get("action") == form["action"]]
        assert {name: filled_in(again)[name] for name in words} == words
        assert answer.all("main [role=alert]"), "nothing says that it has not been sent"


def opened_forms(app, route):
    role = next(role for role in ROLES if role in TABLE[route])
    where = place(app, route)
    person = where.owner if role == "customer" else new_staff(app, role)
    page = Page(InProcess(app))
    adopt_session(page, app, person)
    for form, words in forms_on(page.get(where.path)):
        yield form, words, page, where.path, person


def test_the_forms_are_found(app):
    found = {str(form["action"]) for route in OPENED for form, *_ in opened_forms(app, route)}

    assert {"/transfers/review", "/deposits/new", "/settings/profile", "/settings/email"} <= found
    assert [each for each in found if each.startswith("/admin/customers/") and each.endswith("/suspension")]
