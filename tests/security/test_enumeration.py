"""Nothing tells whether an address has an account: no word, no header, no question to the database, no time."""

from __future__ import annotations

import random
import re
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, text

from advancia.core.db import db, unit_of_work
from advancia.identity.services import passwords
from tests.support.factors import enrol_totp
from tests.support.pages import InProcess, Page
from tests.support.people import PASSWORD, new_staff
from tests.support.timing import differs, kinds_told_apart

NOBODY = "nobody"


class CountingHasher(PasswordHasher):
    """The real one, which counts how often it was at work."""

    def __init__(self, like) -> None:
        super().__init__(time_cost=like.time_cost, memory_cost=like.memory_cost, parallelism=like.parallelism)
        self.worked = 0

    def hash(self, *arguments, **more):
        self.worked += 1
        return super().hash(*arguments, **more)

    def verify(self, *arguments, **more):
        self.worked += 1
        return super().verify(*arguments, **more)


@pytest.fixture
def addresses(app, customer):
    """An address of each kind, all of the same length."""
    known, suspended, with_factor = (customer("Amara Okafor") for _ in range(3))
    staff = new_staff(app, "support", name="Amara Adeyemi")
    enrol_totp(app, with_factor)
    with app.app_context(), unit_of_work() as session:
        session.execute(text("UPDATE users SET suspended_at = now() WHERE id = :id"), {"id": suspended.id})
    return {
        NOBODY: "nnara" + known.email.removeprefix("amara"),
        "a customer": known.email,
        "a suspended customer": suspended.email,
        "a member of staff": staff.email,
        "a customer with a second factor": with_factor.email,
    }


@pytest.fixture
def forget(app):
    """Begin all counts of tries anew, so that the same may be asked again."""

    def run():
        with app.app_context(), unit_of_work() as session:
            session.execute(text("DELETE FROM counted_try"))

    return run


@pytest.fixture
def asking(app):
    """Send a form from a browser that is new each time: `asking("/login", email=…)` gives what to call."""
    opened = Page(InProcess(app))
    opened.get("/login")
    cookie = opened.transport.client.get_cookie("session").value

    def prepare(path, **typed):
        def ask():
            page = Page(InProcess(app))
            page.csrf_token = opened.csrf_token
            page.transport.client.set_cookie("session", cookie)
            return page.post(path, typed)

        return ask

    return prepare


FORMS = {
    "signing in": ("/login", {"password": "not it at all"}),
    "signing up": ("/signup", {"name": "Amara", "password": PASSWORD, "terms": "y"}),
    "forgetting the password": ("/password/forgot", {}),
}
each_form = pytest.mark.parametrize("form", FORMS)


def asks_of(form, asking, addresses):
    path, typed = FORMS[form]
    return {kind: asking(path, email=email, **typed) for kind, email in addresses.items()}


@contextmanager
def work_done(app, monkeypatch):
    """What is asked of the database meanwhile, without the values, and how often a password is hashed."""
    with app.app_context():
        engine = db.engine
    done, hasher = [], CountingHasher(passwords._hasher)
    monkeypatch.setattr(passwords, "_hasher", hasher)

    def note(_connection, _cursor, statement, _values, _context, many):
        done.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield done
    finally:
        event.remove(engine, "before_cursor_execute", note)
        done.append(f"{hasher.worked} hashes")


def seen(answer, email):
    """All that the browser gets, but for what is drawn by lot for each answer."""
    html = answer.html.replace(email, "EMAIL")
    html = re.sub(r'(nonce="|name="csrf_token"[^>]*value=")[^"]+"', r"\1…", html)
    drawn = ("Set-Cookie", "X-Request-ID", "Content-Security-Policy", "Content-Length", "Date")
    return (
        answer.status,
        html,
        sorted((name, value) for name, value in answer.headers.items() if name not in drawn),
    )


@each_form
def test_the_answers_are_the_same_to_the_byte(form, asking, addresses, forget):
    told = {}
    for kind, ask in asks_of(form, asking, addresses).items():
        forget()
        told[kind] = seen(ask(), addresses[kind])

    assert all(each == told[NOBODY] for each in told.values())


@each_form
def test_the_same_is_asked_of_the_database_and_as_many_passwords_are_hashed(
    app, form, asking, addresses, forget, monkeypatch
):
    done = {}
    for kind, ask in asks_of(form, asking, addresses).items():
        forget()
        with work_done(app, monkeypatch) as work:
            ask()
        done[kind] = work

    assert len(done[NOBODY]) > 3
    for kind, work in done.items():
        assert work == done[NOBODY], kind


@each_form
@pytest.mark.slow
def test_no_stopwatch_tells_them_apart(form, asking, addresses, forget):
    asks = asks_of(form, asking, addresses)
    for ask in asks.values():  # once, so that nothing is done for the first time while it is measured
        ask()

    assert kinds_told_apart(asks, like=NOBODY, before=forget) == {}


def test_the_stopwatch_would_tell_a_hash_that_is_left_out():
    noise = random.Random(7)

    def times(seconds):
        return [
            seconds * noise.lognormvariate(0, 0.25) + (0.5 if noise.random() < 0.05 else 0) for _ in range(24)
        ]

    assert differs(times(0.050), times(0.075))
    assert not any(differs(times(0.050), times(0.050)) for _ in range(20))


def test_a_wrong_code_of_a_sign_up_gets_the_same_answer_whether_or_not_there_is_an_account(
    app, addresses, forget
):
    answers = {}
    for kind, email in addresses.items():
        forget()
        page = Page(InProcess(app))
        page.submit("/signup", email=email, name="Amara", password=PASSWORD, terms="y")
        answers[kind] = [
            seen(page.submit("/verify-email", "form#verify-form", code="000000"), email) for _ in range(6)
        ]

    assert all(each == answers[NOBODY] for each in answers.values())
