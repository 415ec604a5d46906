"""A forgotten password, and one that is changed: links that work once, for an hour, and for nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import text

from advancia.core.db import db, unit_of_work
from tests.support.factors import code, enrol_totp
from tests.support.pages import InProcess, Page, adopt_session
from tests.support.people import new_staff
from tests.support.recovery import audited, link_in, mails_to, newest_link

NEW = "another long password of mine"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="5.00")


def ask(page, email):
    return page.submit("/password/forgot", "form#forgot-form", email=email)


@pytest.fixture
def link(app, page, amara, work, settings):
    """The path in the mail that Amara gets when she asks for a link."""
    ask(page, amara.email)
    work()
    return newest_link(settings, amara.email)


def log_in(page, email, password):
    return page.submit("/login", "form#login-form", email=email, password=password)


def change_row(app, sql, **values):
    with app.app_context(), unit_of_work() as session:
        session.execute(text(sql), values)


def test_the_link_sets_a_new_password_and_the_old_one_is_gone(app, page, amara, link, settings, work):
    assert page.submit(link, "form#reset-form", password=NEW).location == "/login"
    assert "all sessions have ended" in page.get("/login").text

    assert log_in(Page(InProcess(app)), amara.email, amara.password).status == 422
    assert log_in(Page(InProcess(app)), amara.email, NEW).location == "/wallet"
    work()
    assert "Your password was reset" in [mail["Subject"] for mail in mails_to(settings, amara.email)]
    assert [audited(app, amara.id, f"password.{what}") for what in ("ask", "reset")] == [1, 1]


def test_nobody_is_signed_in_by_a_reset(page, link):
    page.submit(link, "form#reset-form", password=NEW)

    assert page.get("/wallet").status == 303


def test_a_reset_ends_every_session(app, page, page_of, amara, link):
    telephone, laptop = page_of(amara), page_of(amara)
    page.submit(link, "form#reset-form", password=NEW)

    assert telephone.get("/wallet").status == laptop.get("/wallet").status == 303


def test_a_reset_never_passes_the_second_factor(app, page, amara, link):
    secret = enrol_totp(app, amara)
    opened = page.get(link)
    assert "and your second factor" in opened.text
    page.submit_form(opened, "form#reset-form", password=NEW)

    waiting = log_in(page, amara.email, NEW)
    assert waiting.location == "/login/second-factor"
    assert page.get("/wallet").status == 303
    assert page.submit(waiting.location, code=code(secret)).location == "/wallet"


def test_a_sign_in_that_waits_for_its_second_factor_ends_with_the_password_it_began_with(app, amara, link):
    secret = enrol_totp(app, amara)
    waiting, elsewhere = Page(InProcess(app)), Page(InProcess(app))
    opened = waiting.follow(log_in(waiting, amara.email, amara.password))
    elsewhere.submit(link, "form#reset-form", password=NEW)

    assert waiting.submit_form(opened, code=code(secret)).headers.get("Location") != "/wallet"
    assert waiting.get("/wallet").status == 303


def test_a_link_works_once(page, link):
    opened = page.get(link)
    page.submit_form(opened, "form#reset-form", password=NEW)

    assert page.get(link).status == 404
    again = page.submit_form(opened, "form#reset-form", password="yet another long password")
    assert (again.status, "This link no longer works" in again.text) == (404, True)


def test_of_many_who_use_one_link_at_once_one_succeeds(app, amara, link):
    pages = [Page(InProcess(app)) for _ in range(5)]
    opened = [page.get(link) for page in pages]
    chosen = [f"a long password of number {number}" for number in range(5)]

    def use(place):
        return pages[place].submit_form(opened[place], "form#reset-form", password=chosen[place]).status

    with ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(use, range(5)))

    assert sorted(statuses) == [303, 404, 404, 404, 404]
    winner = chosen[statuses.index(303)]
    assert log_in(Page(InProcess(app)), amara.email, winner).location == "/wallet"


def test_a_link_is_valid_for_an_hour(app, page, amara, link):
    def age(interval):
        change_row(
            app,
            "UPDATE password_reset SET expires_at = expires_at - cast(:age as interval) WHERE user_id = :id",
            id=amara.id,
            age=interval,
        )

    age(timedelta(minutes=59))
    assert page.get(link).status == 200
    opened = page.get(link)
    age(timedelta(minutes=1))
    assert page.get(link).status == 404
    assert page.submit_form(opened, "form#reset-form", password=NEW).status == 404


def test_only_the_newest_link_works(page, amara, link, settings, work):
    ask(page, amara.email)
    work()
    newer = newest_link(settings, amara.email)

    assert newer != link
    assert page.get(link).status == 404
    assert page.get(newer).status == 200


def test_a_link_dies_with_the_password_it_was_to_replace(page, page_of, amara, link):
    page_of(amara).submit("/settings/password", "form#password-form", current=amara.password, password=NEW)

    assert page.get(link).status == 404


def test_a_link_does_not_open_a_suspended_account(app, page, amara, link):
    opened = page.get(link)
    change_row(app, "UPDATE users SET suspended_at = now() WHERE id = :id", id=amara.id)

    assert page.get(link).status == 404
    assert page.submit_form(opened, "form#reset-form", password=NEW).status == 404


@pytest.mark.parametrize("token", ["x", "0" * 43, "ü", "a" * 5000, "%00"])
def test_a_link_that_never_was_opens_nothing(page, token):
    assert page.get(f"/password/reset/{token}").status == 404


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "Choose a password"),
        ("too short", "Use at least 15 characters"),
        ("Amara Okafor 1234", "made of your own name"),
        ("Passwordpassword1", "little more than a common"),
    ],
)
def test_a_password_that_will_not_do_is_refused_with_the_reason_and_the_link_still_works(
    page, link, password, message
):
    page.get(link)
    answer = page.post(link, {"password": password}, htmx_target="form#reset-form")

    assert answer.status == 422
    assert message in answer.one("form#reset-form [role=alert]").text
    assert answer.one("#password")["aria-describedby"] == "password-error"
    assert answer.one("#password").get("value", "") == ""
    assert page.submit(link, "form#reset-form", password=NEW).status == 303


def test_the_answer_is_the_same_whoever_has_an_account(app, page, amara, customer):
    gone = customer("Bilal Haddad")
    change_row(app, "UPDATE users SET suspended_at = now() WHERE id = :id", id=gone.id)
    answers = []
    for email in (amara.email, "nobody-at-all@test.example", gone.email, new_staff(app, "admin").email):
        stranger = Page(InProcess(app))
        answer = ask(stranger, email)
        answers.append((answer.status, answer.location, stranger.follow(answer).text))

    assert len(set(answers)) == 1
    assert "If there is an account" in answers[0][2]


def test_whether_there_is_an_account_is_looked_up_by_the_job_and_not_by_the_page(app, amara):
    from tests.architecture.test_routes import statements

    seen = []
    for email in (amara.email, "nobody-at-all@test.example"):
        page = Page(InProcess(app))
        page.get("/password/forgot")
        with statements(app) as executed:
            page.post("/password/forgot", {"email": email})
        seen.append(executed)

    assert seen[0] == seen[1]
    assert not [each for each in seen[0] if "users" in each]


def test_no_mail_goes_to_strangers_or_the_suspended(app, page, customer, work, settings):
    gone = customer("Bilal Haddad")
    change_row(app, "UPDATE users SET suspended_at = now() WHERE id = :id", id=gone.id)
    for email in ("nobody-reset@test.example", gone.email):
        ask(page, email)
    work()

    assert mails_to(settings, "nobody-reset@test.example") == mails_to(settings, gone.email) == []


def test_five_links_an_hour_for_one_address_also_when_the_cache_is_lost_or_they_are_asked_at_once(
    app, settings, amara
):
    pages = [Page(InProcess(app)) for _ in range(8)]
    for page in pages:
        page.get("/password/forgot")

    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda page: page.post("/password/forgot", {"email": amara.email.upper()}), pages)
        )
    Redis.from_url(settings.redis_url).flushdb()
    refused = ask(Page(InProcess(app)), amara.email)

    assert sorted(answer.status for answer in answers) == [303] * 5 + [429] * 3
    assert refused.status == 429
    assert "Wait 60 minutes" in refused.text
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600


def test_twenty_links_an_hour_from_one_address_of_the_network(page):
    statuses = [ask(page, f"somebody-{number}@test.example").status for number in range(21)]

    assert statuses == [303] * 20 + [429]


def test_the_token_is_kept_as_a_hash_and_out_of_the_log(app, page, amara, link, caplog, capfd):
    token = link.rpartition("/")[2]
    with app.app_context():
        rows = db.session.execute(text("SELECT * FROM password_reset")).all()
        waiting = db.session.scalars(
            text("SELECT payload::text || coalesce(secret::text, '') FROM outbox")
        ).all()
    with caplog.at_level("INFO"):
        page.get(link)
        page.submit(link, "form#reset-form", password=NEW)

    assert rows
    assert not [row for row in rows if token in str(row) or token.encode() in str(row).encode()]
    assert not [each for each in waiting if token in each]
    assert caplog.records
    assert not [
        record for record in caplog.records if token in record.getMessage() or token in str(record.args)
    ]
    printed = capfd.readouterr()
    assert token not in printed.out + printed.err


def test_the_page_keeps_its_address_from_other_sites_and_caches(page, link):
    headers = page.get(link).headers

    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Robots-Tag"] == "noindex"


def test_the_mail_says_who_asked_and_leads_to_the_page(settings, amara, link):
    (mail,) = mails_to(settings, amara.email)
    plain = mail.get_body(("plain",)).get_content()

    assert mail["Subject"] == "Set a new password for Advancia"
    assert "60 minutes and works once" in plain
    assert link_in(mail) == link
    assert link in mail.get_body(("html",)).get_content()


def test_a_new_password_opens_an_account_that_failures_had_locked(app, page, amara, link):
    for _ in range(5):
        log_in(Page(InProcess(app)), amara.email, "wrong")
    assert log_in(Page(InProcess(app)), amara.email, amara.password).status == 429
    page.submit(link, "form#reset-form", password=NEW)

    assert log_in(Page(InProcess(app)), amara.email, NEW).location == "/wallet"


def test_changing_the_password_keeps_this_session_under_a_new_token_and_ends_the_others(
    app, page_of, amara, work, settings
):
    here, elsewhere = page_of(amara), page_of(amara)
    before = here.transport.client.get_cookie("session").value
    answer = here.submit("/settings/password", "form#password-form", current=amara.password, password=NEW)

    assert answer.location == "/settings/security"
    assert here.get("/wallet").status == 200
    assert elsewhere.get("/wallet").status == 303
    here.transport.client.set_cookie("session", before)
    assert here.get("/wallet").status == 303
    work()
    assert "Your password was changed" in [mail["Subject"] for mail in mails_to(settings, amara.email)]
    assert audited(app, amara.id, "password.change") == 1


def test_changing_needs_the_current_password_and_counts_the_wrong_ones(page_of, amara):
    page = page_of(amara)
    for _ in range(5):
        wrong = page.submit("/settings/password", "form#password-form", current="wrong", password=NEW)
        assert (wrong.status, "That is not your password" in wrong.text) == (422, True)
    refused = page.submit("/settings/password", "form#password-form", current=amara.password, password=NEW)

    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_who_has_a_second_factor_proves_it_before_changing_the_password(app, page_of, amara):
    page = page_of(amara)
    change_row(app, "UPDATE users SET second_factor_since = now() WHERE id = :id", id=amara.id)
    change_row(
        app,
        "UPDATE user_session SET confirmed_at = now() - interval '6 minutes' WHERE user_id = :id",
        id=amara.id,
    )
    page.get("/wallet")

    assert page.get("/settings/password").location.startswith("/confirm?next=")
    assert page.post("/settings/password", {"current": amara.password, "password": NEW}).location.startswith(
        "/confirm"
    )


def test_a_short_password_beside_a_factor_is_noted_as_one_that_cannot_stand_alone(app, amara):
    def stands_alone():
        with app.app_context():
            return db.session.scalar(
                text("SELECT password_alone FROM users WHERE id = :id"), {"id": amara.id}
            )

    change_row(app, "UPDATE users SET second_factor_since = now() WHERE id = :id", id=amara.id)
    page = adopt_session(Page(InProcess(app)), app, amara)
    assert stands_alone()
    page.submit("/settings/password", "form#password-form", current=amara.password, password="kq2v8x9!")
    assert not stands_alone()
    page.submit("/settings/password", "form#password-form", current="kq2v8x9!", password=NEW)
    assert stands_alone()


def test_the_check_while_typing_says_what_is_missing_and_keeps_nothing(
    app, page, page_of, amara, link, caplog
):
    page.get("/signup")
    said = [
        page.post("/password/check", {"password": typed, "name": "Zoë Lang", "email": "z@x.example"}).text
        for typed in ("", "zoe", "Zoë Lang 12345678", "four clear words here")
    ]
    assert said[0] == ""
    assert "at least 15" in said[1]
    assert "made of your own name" in said[2]
    assert said[3] == "This password will do."

    signed_in = page_of(amara)
    signed_in.get("/settings/password")
    assert "your own name" in signed_in.post("/password/check", {"password": "Amara Okafor 1234"}).text
    page.get(link)
    token = link.rpartition("/")[2]
    by_link = page.post("/password/check", {"password": "Amara Okafor 1234", "link_token": token})
    assert "your own name" in by_link.text


def test_the_check_needs_a_token_of_ours(page):
    assert page.post("/password/check", {"password": "x", "csrf_token": "forged"}).status == 400


def test_a_check_that_comes_late_leaves_the_page_where_the_button_has_led(app, page_of, amara):
    """The password has been changed, and the page's old token with it, when the field asks its last question."""
    signed_in = page_of(amara)
    signed_in.get("/settings/password")
    answer = signed_in.post(
        "/password/check",
        {"password": NEW, "csrf_token": "of before"},
        htmx_target="password-check",
        headers={"Sec-Fetch-Site": "same-origin", "Referer": "http://localhost/settings/password"},
    )

    assert answer.status == 400
    assert not {"HX-Redirect", "HX-Location", "Location", "Set-Cookie"} & set(answer.headers)
