"""Another address for the account: only when the old and the new one agree, each by its own link."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import text

from advancia.core.db import db, unit_of_work
from tests.support.pages import InProcess, Page
from tests.support.recovery import audited, link_in, mails_to, newest_link

AGREE = "main form[action^='/email-change/']:not([action$='/stop'])"
STOP = "main form[action$='/stop']"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def new_email():
    return f"new-{uuid4().hex[:12]}@test.example"


def ask(page, new_email):
    return page.submit("/settings/email", "form#email-form", email=new_email)


@pytest.fixture
def asked(page_of, amara, new_email, work, settings):
    """Amara has asked; the paths in the mails to the old and to the new address."""
    assert ask(page_of(amara), new_email.upper()).location == "/settings/profile"
    work()
    return newest_link(settings, amara.email), newest_link(settings, new_email)


def email_of(app, person):
    with app.app_context():
        return db.session.scalar(text("SELECT email FROM users WHERE id = :id"), {"id": person.id})


def change_row(app, sql, **values):
    with app.app_context(), unit_of_work() as session:
        session.execute(text(sql), values)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the old one first", "the new one first"])
def test_the_address_changes_once_both_have_agreed(app, page, amara, new_email, asked, order, work, settings):
    first, second = (asked[place] for place in order)
    page.submit(first, AGREE)
    assert email_of(app, amara) == amara.email
    assert "You have agreed here" in page.get(first).text
    assert page.submit(second, AGREE).location == "/login"

    assert email_of(app, amara) == new_email
    assert audited(app, amara.id, "email.change") == 1
    work()
    for address in (amara.email, new_email):
        assert "The address of your account was changed" in [
            m["Subject"] for m in mails_to(settings, address)
        ]
    assert page.submit("/login", email=new_email, password=amara.password).location == "/wallet"
    assert Page(InProcess(app)).submit("/login", email=amara.email, password=amara.password).status == 422


def test_one_side_alone_changes_nothing_however_often_it_agrees(app, page, amara, asked):
    for link in asked:
        for _ in range(2):
            opened = page.get(link)
            if opened.all(AGREE):
                page.submit_form(opened, AGREE)
        assert email_of(app, amara) == amara.email
        change_row(
            app,
            "UPDATE email_change SET old_agreed_at = NULL, new_agreed_at = NULL WHERE user_id = :id",
            id=amara.id,
        )


def test_agreeing_twice_is_agreeing_once(app, page, amara, asked):
    old, _ = asked
    opened = page.get(old)
    page.submit_form(opened, AGREE)

    assert page.submit_form(opened, AGREE).location == old
    assert email_of(app, amara) == amara.email


def test_either_side_can_stop_it_and_then_neither_link_works(
    app, page, page_of, amara, new_email, work, settings
):
    for place in (0, 1):
        ask(page_of(amara), new_email)
        work()
        links = newest_link(settings, amara.email), newest_link(settings, new_email)
        page.submit(links[place], STOP)

        assert [page.get(link).status for link in links] == [404, 404]
    assert email_of(app, amara) == amara.email


def test_the_person_sees_that_it_waits_and_can_stop_it(app, page, page_of, amara, new_email, asked):
    signed_in = page_of(amara)
    page.submit(asked[1], AGREE)
    shown = signed_in.get("/settings/profile")
    assert new_email in shown.text
    assert "Waiting" in shown.text
    assert "Agreed" in shown.text
    signed_in.submit_form(shown, "main form[action='/settings/email/stop']")

    assert new_email not in signed_in.get("/settings/profile").one("main").text
    assert page.get(asked[0]).status == 404


def test_the_links_run_out_after_a_day(app, page, amara, asked):
    opened = page.get(asked[0])
    change_row(app, "UPDATE email_change SET expires_at = now() WHERE user_id = :id", id=amara.id)

    assert [page.get(link).status for link in asked] == [404, 404]
    assert page.submit_form(opened, AGREE).status == 404


def test_asking_anew_drops_what_was_asked_before(app, page, page_of, amara, asked, work, settings):
    other = f"other-{uuid4().hex[:12]}@test.example"
    ask(page_of(amara), other)
    work()

    assert [page.get(link).status for link in asked] == [404, 404]
    page.submit(newest_link(settings, amara.email), AGREE)
    page.submit(newest_link(settings, other), AGREE)
    assert email_of(app, amara) == other


def test_asking_needs_the_password_anew(app, page_of, amara, new_email):
    page = page_of(amara)
    page.get("/settings/email")
    change_row(
        app,
        "UPDATE user_session SET password_at = now() - interval '6 minutes' WHERE user_id = :id",
        id=amara.id,
    )

    assert page.get("/settings/email").location.startswith("/confirm?")
    assert page.post("/settings/email", {"email": new_email}).location.startswith("/confirm")


@pytest.mark.parametrize("typed", ["", "amara", "a@b@c.example", "x" * 250 + "@test.example"])
def test_what_is_no_address_is_refused_at_the_field(page_of, amara, typed):
    page = page_of(amara)
    page.get("/settings/email")
    answer = page.post("/settings/email", {"email": typed}, htmx_target="form#email-form")

    assert answer.status == 422
    assert "Enter an email address" in answer.one("form#email-form [role=alert]").text
    assert answer.one("#email").get("value", "") == typed


def test_ones_own_address_is_no_new_one(page_of, amara):
    answer = ask(page_of(amara), amara.email.upper())

    assert (answer.status, "That is your address already" in answer.text) == (422, True)


def test_an_address_with_an_account_looks_the_same_and_its_owner_is_told(
    app, page_of, amara, customer, new_email, work, settings
):
    bilal = customer("Bilal Haddad")
    page = page_of(amara)
    free = ask(page, new_email)
    seen_free = page.get("/settings/profile").one("main").text.replace(new_email, "…")
    taken = ask(page, bilal.email)
    seen_taken = page.get("/settings/profile").one("main").text.replace(bilal.email, "…")
    work()

    assert (free.status, free.location, seen_free) == (taken.status, taken.location, seen_taken)
    (mail,) = mails_to(settings, bilal.email)
    assert mail["Subject"] == "You already have an account with Advancia"
    assert "/email-change/" not in mail.get_body(("plain",)).get_content()
    assert amara.email not in str(mail)


def test_who_gets_the_address_first_keeps_it(app, page, amara, customer, new_email, asked):
    page.submit(asked[0], AGREE)
    bilal = customer("Bilal Haddad")
    change_row(app, "UPDATE users SET email = :e WHERE id = :id", e=new_email, id=bilal.id)
    answer = page.submit(asked[1], AGREE)

    assert answer.status == 409
    assert "cannot be used any more" in answer.text
    assert email_of(app, amara) == amara.email


def test_two_who_move_to_one_address_at_once_do_not_both_get_it(
    app, page_of, customer, new_email, work, settings
):
    people = [customer("Amara Okafor"), customer("Bilal Haddad")]
    new_links = []
    for person in people:
        ask(page_of(person), new_email)
        work()
        new_links.append(link_in(mails_to(settings, new_email)[-1]))
        Page(InProcess(app)).submit(newest_link(settings, person.email), AGREE)
    pages = [Page(InProcess(app)) for _ in people]
    opened = [page.get(link) for page, link in zip(pages, new_links, strict=True)]

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda place: pages[place].submit_form(opened[place], AGREE).status, (0, 1)))

    assert sorted(answers) in ([303, 404], [303, 409])
    assert sorted(email_of(app, person) == new_email for person in people) == [False, True]


def test_both_sides_agreeing_at_once_change_it_once(app, amara, new_email, asked):
    pages = [Page(InProcess(app)) for _ in asked]
    opened = [page.get(link) for page, link in zip(pages, asked, strict=True)]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda place: pages[place].submit_form(opened[place], AGREE), (0, 1)))

    assert email_of(app, amara) == new_email
    assert audited(app, amara.id, "email.change") == 1


def test_a_new_address_kills_the_links_that_reset_the_password(app, page, amara, asked, work, settings):
    page.submit("/password/forgot", "form#forgot-form", email=amara.email)
    work()
    reset = next(link_in(m) for m in mails_to(settings, amara.email) if "new password" in m["Subject"])
    assert page.get(reset).status == 200
    for link in asked:
        page.submit(link, AGREE)

    assert page.get(reset).status == 404


def test_a_new_password_drops_the_change_that_waits(page, page_of, amara, asked):
    page_of(amara).submit(
        "/settings/password", "form#password-form", current=amara.password, password="another long password"
    )

    assert [page.get(link).status for link in asked] == [404, 404]


def test_a_suspended_account_keeps_its_address(app, page, amara, asked):
    page.submit(asked[0], AGREE)
    change_row(app, "UPDATE users SET suspended_at = now() WHERE id = :id", id=amara.id)

    assert page.get(asked[1]).status == 404
    assert email_of(app, amara) == amara.email


def test_five_changes_an_hour_can_be_asked_for(page_of, amara):
    page = page_of(amara)
    statuses = [ask(page, f"new-{uuid4().hex[:10]}@test.example").status for _ in range(6)]

    assert statuses == [303] * 5 + [429]


def test_nothing_but_the_hash_of_the_links_is_kept(app, amara, asked):
    with app.app_context():
        row = db.session.execute(
            text("SELECT * FROM email_change WHERE user_id = :id"), {"id": amara.id}
        ).one()

    assert not [link for link in asked if link.rpartition("/")[2] in str(row)]


def test_a_name_is_changed_and_written_down_with_what_it_was(app, page_of, amara):
    page = page_of(amara)
    assert (
        page.submit("/settings/profile", "form#profile-form", name=" Amara N. Okafor ").location
        == "/settings/profile"
    )

    assert page.get("/settings/profile").one("#name")["value"] == "Amara N. Okafor"
    with app.app_context():
        line = db.session.execute(
            text(
                "SELECT before, after FROM audit_record WHERE action = 'profile.rename' AND object_id = :id"
            ),
            {"id": str(amara.id)},
        ).one()
    assert (line.before, line.after) == ({"name": "Amara Okafor"}, {"name": "Amara N. Okafor"})


@pytest.mark.parametrize(
    ("typed", "message"), [("", "Enter your name"), ("n" * 81, "Use at most 80 characters")]
)
def test_a_name_that_will_not_do_is_refused_at_the_field(page_of, amara, typed, message):
    page = page_of(amara)
    page.get("/settings/profile")
    answer = page.post("/settings/profile", {"name": typed}, htmx_target="form#profile-form")

    assert (answer.status, answer.one("#name")["value"]) == (422, typed)
    assert message in answer.one("form#profile-form [role=alert]").text
