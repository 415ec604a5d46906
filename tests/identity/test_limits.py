"""Tries are counted in the database: before they are looked at, and so that no race passes a limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from advancia.core import outbox
from advancia.core.db import unit_of_work
from advancia.core.errors import LimitReached
from advancia.core.jobs import Job
from advancia.identity.errors import SignInLocked, TooManyCodes
from advancia.identity.services import hashing_turns, limits, passwords, sign_in
from advancia.identity.services.limits import Limit
from tests.identity.test_sign_in import log_in
from tests.identity.test_sign_up import fresh, sign_up
from tests.support.pages import InProcess, Page
from tests.support.recovery import mails_to

THREE = Limit("test.three", allowed=3, window=timedelta(minutes=15))
LOCKING = Limit(
    "test.lock", allowed=3, window=timedelta(minutes=10), lock=timedelta(minutes=30), refusal=TooManyCodes
)
IN_A_ROW = Limit("test.row", allowed=3, window=None, refusal=SignInLocked)
LOCKED = "Many wrong passwords in a row were tried for this address."


@pytest.fixture
def key():
    return uuid4().hex


@pytest.fixture
def take(app):
    """Count a try and tell how long to wait for the next, or `0` when it was counted."""

    def counted(*counters):
        try:
            with app.app_context(), unit_of_work() as session:
                limits.take(session, *counters)
        except LimitReached as refusal:
            return refusal.wait
        return 0

    return counted


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def failed(app, change):
    """Have so many tries of strangers failed in a row at that address."""

    def fail(email, number):
        change(
            "INSERT INTO counted_try (what, key, tried_at) SELECT 'sign_in.in_all', :email, now() - interval '1 day'"
            " FROM generate_series(1, :number)",
            email=email,
            number=number,
        )

    return fail


def stranger(app):
    return Page(InProcess(app))


def aged(change, key, minutes):
    change(
        "UPDATE counted_try SET tried_at = tried_at - make_interval(mins => :minutes) WHERE key = :key",
        key=key,
        minutes=minutes,
    )


def test_what_is_allowed_is_allowed_and_the_next_waits_until_the_first_is_old_enough(take, change, key):
    assert take((THREE, key)) == 0
    aged(change, key, 10)
    assert [take((THREE, key)) for _ in range(2)] == [0, 0]
    assert timedelta(minutes=4, seconds=50) < take((THREE, key)) <= timedelta(minutes=5)

    aged(change, key, 5)
    assert take((THREE, key)) == 0


def test_a_refused_try_does_not_prolong_the_wait(take, key):
    waits = [take((THREE, key)) for _ in range(6)][3:]

    assert waits == sorted(waits, reverse=True)
    assert len(waits) == 3


def test_a_lock_runs_from_the_last_try(take, change, key):
    for _ in range(3):
        take((LOCKING, key))
    aged(change, key, 29)
    assert take((LOCKING, key)) <= timedelta(minutes=1)
    aged(change, key, 1)
    assert take((LOCKING, key)) == 0


def test_tries_too_far_apart_lock_nothing(take, change, key):
    for _ in range(6):
        assert take((LOCKING, key)) == 0
        aged(change, key, 6)


def test_in_a_row_means_however_long_it_takes_until_it_is_forgotten(app, take, change, key):
    for _ in range(3):
        take((IN_A_ROW, key))
        aged(change, key, 60 * 24 * 300)
    assert take((IN_A_ROW, key)) is None

    with app.app_context(), unit_of_work() as session:
        limits.forget(session, (IN_A_ROW, key))
    assert take((IN_A_ROW, key)) == 0


def test_what_one_counter_refuses_the_others_do_not_count(take, key):
    for _ in range(3):
        take((THREE, key))
    for _ in range(5):
        assert take((THREE, key + "other"), (THREE, key)) != 0

    assert take((THREE, key + "other")) == 0


def test_a_try_that_is_given_back_counts_no_longer(app, take, key):
    for _ in range(5):
        with app.app_context(), unit_of_work() as session:
            limits.give_back(session, limits.take(session, (THREE, key)))

    assert take((THREE, key)) == 0


def test_racing_tries_under_several_keys_neither_pass_the_limit_nor_deadlock(take, key):
    def race(number):
        counters = [(THREE, key), (IN_A_ROW, key)]
        return take(*(counters if number % 2 else reversed(counters)))

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(race, range(32)))

    assert outcomes.count(0) == 3


def test_a_refusal_says_when_to_come_back_in_words_and_to_programs(app, page, amara):
    for _ in range(5):
        log_in(page, amara.email, "wrong")
    refused = log_in(page, amara.email, amara.password)

    assert "Wait 15 minutes, then try again." in refused.text
    assert 850 < int(refused.headers["Retry-After"]) <= 900


def test_strangers_who_fail_do_not_lock_the_owner_out_of_a_browser_that_was_here_before(
    app, browser_of, amara
):
    page = browser_of(amara)
    page.submit_form(page.get("/wallet"), "form[action$='/logout']")
    for _ in range(5):
        log_in(stranger(app), amara.email, "wrong")

    assert log_in(stranger(app), amara.email, amara.password).status == 429
    assert log_in(page, amara.email, amara.password).status == 303


def test_a_browser_that_was_here_before_has_five_tries_of_its_own(app, browser_of, amara):
    page = browser_of(amara)
    page.submit_form(page.get("/wallet"), "form[action$='/logout']")
    for _ in range(5):
        assert log_in(page, amara.email, "wrong").status == 422

    assert log_in(page, amara.email, amara.password).status == 429
    assert log_in(stranger(app), amara.email, amara.password).status == 303


def test_a_browser_of_one_person_is_a_strangers_to_another(app, browser_of, amara, customer):
    page, bilal = browser_of(amara), customer("Bilal Haddad")
    page.submit_form(page.get("/wallet"), "form[action$='/logout']")
    for _ in range(5):
        log_in(stranger(app), bilal.email, "wrong")

    assert log_in(page, bilal.email, bilal.password).status == 429


def test_no_more_than_a_hundred_in_a_row_are_looked_at_in_all():
    assert sign_in.STRANGERS_IN_ALL.allowed + sign_in.DEVICES_IN_ALL.allowed == 100


def test_too_many_in_a_row_end_the_signing_in_by_password_and_the_owner_is_told(
    app, amara, failed, settings, work, change
):
    failed(amara.email, 79)
    assert log_in(stranger(app), amara.email, "wrong").status == 422
    refused = log_in(stranger(app), amara.email, amara.password)
    assert refused.status == 429
    assert LOCKED in refused.text
    assert "Retry-After" not in refused.headers  # waiting does not help

    change("UPDATE outbox SET available_at = now() WHERE kind = 'tell_of_lock' AND done_at IS NULL")
    work()
    (mail,) = mails_to(settings, amara.email)
    assert mail["Subject"] == "Too many wrong passwords were tried for your account"
    assert f"{settings.public_url}/password/forgot" in mail.get_body(("plain",)).get_content()


def test_an_address_that_nobody_has_is_locked_in_the_same_words_and_nobody_is_told(
    app, failed, rows, work, change
):
    email = fresh("nobody")
    failed(email, 80)
    refused = log_in(stranger(app), email, "wrong")
    change("UPDATE outbox SET available_at = now() WHERE kind = 'tell_of_lock' AND done_at IS NULL")
    work()

    assert (refused.status, LOCKED in refused.text) == (429, True)
    assert rows("SELECT 1 FROM outbox WHERE payload->>'to' = :email", email=email) == []


def test_racing_tries_do_not_pass_the_limit_in_a_row(app, amara, failed, rows):
    failed(amara.email, 78)
    pages = [stranger(app) for _ in range(12)]
    for page in pages:
        page.get("/login")
    with ThreadPoolExecutor(12) as pool:
        typed = {"email": amara.email, "password": "wrong"}
        statuses = list(pool.map(lambda page: page.post("/login", typed).status, pages))

    assert statuses.count(422) == 2
    assert statuses.count(429) == 10


def test_the_owner_still_gets_in_by_a_browser_that_was_here_before(app, browser_of, amara, failed):
    page = browser_of(amara)
    page.submit_form(page.get("/wallet"), "form[action$='/logout']")
    failed(amara.email, 80)

    assert log_in(page, amara.email, amara.password).status == 303
    assert (
        log_in(stranger(app), amara.email, amara.password).status == 429
    )  # which opens nothing to strangers


def test_a_success_ends_the_row(app, amara, failed, rows):
    failed(amara.email, 79)
    assert log_in(stranger(app), amara.email, amara.password).status == 303
    assert log_in(stranger(app), amara.email, "wrong").status == 422

    assert (
        rows(
            "SELECT count(*) AS n FROM counted_try WHERE what = 'sign_in.in_all' AND key = :e", e=amara.email
        )[0].n
        == 1
    )


def test_a_new_password_opens_the_sign_in_again(app, amara, failed):
    failed(amara.email, 80)
    with app.app_context(), unit_of_work() as session:
        sign_in.unlock(session, email=amara.email.upper())

    assert log_in(stranger(app), amara.email, amara.password).status == 303


def test_the_sweep_keeps_the_failures_in_a_row_of_people_and_forgets_those_of_nobody(
    app, amara, failed, rows, work, change
):
    nobody = fresh("nobody")
    for email in (amara.email, nobody):
        failed(email, 2)
        aged(change, email, 60 * 24 * 31)
    with app.app_context(), unit_of_work() as session:
        outbox.put(session, Job.SWEEP)
    work()

    kept = rows("SELECT key FROM counted_try WHERE key IN (:one, :other)", one=amara.email, other=nobody)
    assert [row.key for row in kept] == [amara.email] * 2


def test_sign_ups_from_one_address_have_an_end(page):
    for _ in range(20):
        assert sign_up(page, fresh()).status == 303
        page.transport.client.delete_cookie("session")
    refused = sign_up(page, fresh())

    assert refused.status == 429
    assert "Too many tries. Wait 60 minutes, then try again." in refused.text
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600


def test_a_password_that_could_not_be_looked_at_does_not_count(app, amara, monkeypatch, rows):
    nobody_hashes = hashing_turns.HashingTurns(at_once=1, waiting=0)
    nobody_hashes._places.acquire()
    monkeypatch.setattr(passwords, "_turns", [nobody_hashes])
    page = stranger(app)
    for _ in range(6):
        assert log_in(page, amara.email, amara.password).status == 503

    assert rows("SELECT 1 FROM counted_try WHERE key = :email", email=amara.email) == []
