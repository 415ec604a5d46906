"""A lost second factor: staff begin, a day passes, and only the person can finish, by link and password."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import event, text

from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.identity.errors import ResetRefused
from advancia.identity.recovery import factor_reset
from tests.support.factors import enrol_totp
from tests.support.pages import InProcess, Page, adopt_session
from tests.support.people import new_staff
from tests.support.recovery import audited, mails_to, newest_link

FORM = "form#factor-reset-form"
CANCEL = "main form[action$='/cancel']"


@pytest.fixture
def amara(app, customer):
    """A customer who has a second factor, and has lost it."""
    person = customer("Amara Okafor")
    change_row(app, "UPDATE users SET second_factor_since = now() WHERE id = :id", id=person.id)
    return person


@pytest.fixture
def sam(app):
    return new_staff(app, "admin")


def change_row(app, sql, **values):
    with app.app_context(), unit_of_work() as session:
        session.execute(text(sql), values)


def value_of(app, sql, **values):
    with app.app_context():
        return db.session.scalar(text(sql), values)


def begin(app, sam, person, reason="Called and answered the questions."):
    actor = Actor(user_id=sam.id, role="admin", address="10.1.2.3", request_id="test-request")
    with app.app_context(), unit_of_work() as session:
        return factor_reset.begin(session, actor=actor, user_id=person.id, reason=reason)


def let_a_day_pass(app, person):
    """Everything about the reset happened a day earlier."""
    change_row(
        app,
        "UPDATE factor_reset SET created_at = created_at - interval '24 hours', "
        "ready_at = ready_at - interval '24 hours', expires_at = expires_at - interval '24 hours' WHERE user_id = :id",
        id=person.id,
    )
    change_row(
        app,
        "UPDATE outbox SET available_at = available_at - interval '24 hours' "
        "WHERE kind = 'announce_factor_reset' AND done_at IS NULL",
    )


@pytest.fixture
def begun(app, sam, amara, work, settings):
    """The link in the first mail."""
    begin(app, sam, amara)
    work()
    return newest_link(settings, amara.email)


@pytest.fixture
def ready(app, amara, begun, work, settings):
    """The link in the second mail, a day later."""
    let_a_day_pass(app, amara)
    work()
    return newest_link(settings, amara.email)


def has_factor(app, person):
    return value_of(app, "SELECT second_factor_since IS NOT NULL FROM users WHERE id = :id", id=person.id)


def test_the_person_is_told_at_once_and_when_the_wait_is_over(app, amara, begun, ready, settings):
    subjects = [mail["Subject"] for mail in mails_to(settings, amara.email)]

    assert subjects == [
        "A reset of your second factor was begun",
        "You can now finish the reset of your second factor",
    ]
    assert begun != ready


def test_nothing_can_be_finished_before_the_wait_is_over(app, page, amara, begun):
    opened = page.get(begun)
    assert opened.all(FORM) == []
    assert "You can finish from" in opened.text
    answer = page.post(begun, {"current": amara.password})

    assert answer.status == 404
    assert has_factor(app, amara)


def test_link_and_password_take_the_factor_away_and_lead_to_a_new_one(
    app, page, amara, ready, settings, work
):
    elsewhere = adopt_session(Page(InProcess(app)), app, amara)
    answer = page.submit(ready, FORM, current=amara.password)

    assert answer.location == "/settings/security"
    assert not has_factor(app, amara)
    assert elsewhere.get("/wallet").status == 303
    assert page.get("/settings/security").status == 200
    work()
    assert "Your second factor was reset" in [mail["Subject"] for mail in mails_to(settings, amara.email)]
    assert [audited(app, amara.id, f"factor_reset.{what}") for what in ("begin", "finish", "cancel")] == [
        1,
        1,
        0,
    ]


def test_the_lost_app_opens_nothing_afterwards(app, page, customer, sam, work, settings):
    bilal = customer("Bilal Haddad")
    enrol_totp(app, bilal)
    begin(app, sam, bilal)
    work()
    assert (
        Page(InProcess(app)).submit("/login", email=bilal.email, password=bilal.password).location
        != "/wallet"
    )
    let_a_day_pass(app, bilal)
    work()
    page.submit(newest_link(settings, bilal.email), FORM, current=bilal.password)

    assert value_of(app, "SELECT count(*) FROM authenticator_app WHERE user_id = :id", id=bilal.id) == 0
    again = Page(InProcess(app)).submit("/login", email=bilal.email, password=bilal.password)
    assert again.location == "/wallet"


def test_the_pages_of_settings_warn_of_a_reset_that_is_under_way(app, amara, begun):
    signed_in = adopt_session(Page(InProcess(app)), app, amara)

    for page in ("profile", "security"):
        assert (
            len(signed_in.get(f"/settings/{page}").all("form[action='/settings/factor-reset/cancel']")) == 1
        )


def test_the_link_alone_does_nothing_and_wrong_passwords_are_counted(app, page, amara, ready):
    for _ in range(5):
        answer = page.submit(ready, FORM, current="not it at all")
        assert (answer.status, "That is not your password" in answer.text) == (422, True)
    refused = page.submit(ready, FORM, current=amara.password)

    assert refused.status == 429
    assert has_factor(app, amara)


def test_a_link_finishes_once_also_when_it_is_used_at_once(app, amara, ready):
    pages = [Page(InProcess(app)) for _ in range(3)]
    opened = [page.get(ready) for page in pages]

    with ThreadPoolExecutor(3) as pool:
        answers = list(
            pool.map(
                lambda place: pages[place].submit_form(opened[place], FORM, current=amara.password).status,
                range(3),
            )
        )

    assert sorted(answers) == [303, 404, 404]
    assert audited(app, amara.id, "factor_reset.finish") == 1
    assert pages[0].get(ready).status == 404


def test_the_person_cancels_by_either_link_or_from_any_session(app, page, sam, amara, work, settings):
    signed_in = adopt_session(Page(InProcess(app)), app, amara)

    def by_first_link():
        page.submit(newest_link(settings, amara.email), CANCEL)

    def by_second_link():
        let_a_day_pass(app, amara)
        work()
        page.submit(newest_link(settings, amara.email), CANCEL)

    def signed_in_at_security():
        signed_in.get("/settings/profile")
        assert signed_in.post("/settings/factor-reset/cancel").location == "/settings/security"

    for number, cancel in enumerate((by_first_link, by_second_link, signed_in_at_security), start=1):
        begin(app, sam, amara)
        work()
        cancel()
        work()
        assert page.get(newest_link(settings, amara.email)).status == 404
        assert audited(app, amara.id, "factor_reset.cancel") == number
        let_a_day_pass(app, amara)
        before = len(mails_to(settings, amara.email))
        work()
        assert len(mails_to(settings, amara.email)) == before
    assert has_factor(app, amara)


def test_others_can_neither_see_nor_cancel_it(app, page_of, customer, amara, begun):
    bilal = page_of(customer("Bilal Haddad"))
    bilal.get("/settings/profile")
    bilal.post("/settings/factor-reset/cancel")

    assert value_of(app, "SELECT closed_at IS NULL FROM factor_reset WHERE user_id = :id", id=amara.id)


def test_a_reset_runs_out_three_days_after_the_wait(app, page, sam, amara, ready):
    change_row(
        app,
        "UPDATE factor_reset SET created_at = created_at - interval '72 hours', "
        "ready_at = ready_at - interval '72 hours', expires_at = expires_at - interval '72 hours' WHERE user_id = :id",
        id=amara.id,
    )

    assert page.get(ready).status == 404
    begin(app, sam, amara)  # and makes room for another


def test_a_reset_that_cannot_be_is_refused_in_words(app, sam, amara, customer):
    factorless = customer("Bilal Haddad")
    for person, reason, words in (
        (factorless, "lost", factor_reset.NO_FACTOR),
        (sam, "lost", factor_reset.YOURSELF),
        (amara, "  ", factor_reset.NO_REASON),
    ):
        with pytest.raises(ResetRefused, match=words):
            begin(app, sam, person, reason=reason)
    begin(app, sam, amara)
    with pytest.raises(ResetRefused, match=factor_reset.UNDER_WAY):
        begin(app, sam, amara)


def test_staff_who_begin_at_once_begin_one(app, sam, amara):
    def attempt(_):
        try:
            begin(app, sam, amara)
        except ResetRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]


def test_who_begins_it_and_why_is_written_down(app, sam, amara, begun):
    with app.app_context():
        line = db.session.execute(
            text("SELECT * FROM audit_record WHERE action = 'factor_reset.begin' AND object_id = :id"),
            {"id": str(amara.id)},
        ).one()

    assert (line.actor_id, line.role, line.address) == (sam.id, "admin", "10.1.2.3")
    assert line.reason == "Called and answered the questions."
    assert line.request_id == "test-request"


def test_a_short_password_must_be_replaced_before_it_stands_alone(app, page, amara, ready):
    from advancia.identity.services import passwords

    change_row(
        app,
        "UPDATE users SET password_hash = :hash, password_alone = false WHERE id = :id",
        hash=passwords.hashed("kq2v8x9!"),
        id=amara.id,
    )
    kept = page.submit(ready, FORM, current="kq2v8x9!")
    assert (kept.status, "Choose a longer one" in kept.text) == (422, True)
    weak = page.submit(ready, FORM, current="kq2v8x9!", password="still short")
    assert (weak.status, "at least 15" in weak.text) == (422, True)
    assert has_factor(app, amara)

    assert page.submit(ready, FORM, current="kq2v8x9!", password="four clear words here").status == 303
    assert (
        Page(InProcess(app)).submit("/login", email=amara.email, password="four clear words here").location
        == "/wallet"
    )


def test_a_password_that_is_changed_while_it_is_looked_at_finishes_nothing(app, page, amara, ready):
    changed = []

    def change_once(_connection, _cursor, statement, *_rest):
        if "advisory" in statement and not changed:  # the try is counted: the password is looked at next
            changed.append(app)
            with psycopg.connect(app.extensions["settings"].database_url) as elsewhere:
                elsewhere.execute("UPDATE users SET password_changed_at = now() WHERE id = %s", (amara.id,))

    page.get(ready)
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", change_once)
    try:
        answer = page.post(ready, {"current": amara.password})
    finally:
        event.remove(engine, "before_cursor_execute", change_once)

    assert changed
    assert answer.status == 422
    assert has_factor(app, amara)


def test_staff_lose_their_factor_the_same_way(app, page, sam, work, settings):
    eve = new_staff(app, "owner", "Eve Owner")
    begin(app, sam, eve)
    work()
    let_a_day_pass(app, eve)
    work()
    page.submit(newest_link(settings, eve.email), FORM, current=eve.password)

    assert not has_factor(app, eve)
    assert page.get("/admin/").location == "/settings/security"


def test_nothing_but_the_hash_of_the_links_is_kept(app, amara, begun, ready):
    with app.app_context():
        row = db.session.execute(
            text("SELECT * FROM factor_reset WHERE user_id = :id"), {"id": amara.id}
        ).one()

    assert not [link for link in (begun, ready) if link.rpartition("/")[2] in str(row)]
