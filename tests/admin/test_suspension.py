"""Suspending: no session, no sign-in, and no money to or from that person, from the next request on."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from sqlalchemy import select

from advancia import ledger
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.identity.models import User
from advancia.identity.services import suspension
from advancia.wallet.transfers import services as transfers
from advancia.wallet.transfers.errors import Suspended, UnknownRecipient
from tests.support.factors import audited, mails_to
from tests.support.people import new_staff

REASON = "Case 4711: card reported as stolen"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="100.00")


@pytest.fixture
def bilal(customer):
    return customer("Bilal Haddad", USD="100.00")


@pytest.fixture
def admin(app):
    return new_staff(app, "admin", "Ada Brandt")


@pytest.fixture
def admin_page(staff_page, admin):
    return staff_page("admin", admin)


def is_suspended(app, person):
    with app.app_context():
        return db.session.scalar(select(User.suspended_at.is_not(None)).where(User.id == person.id))


def suspend(page, person, reason=REASON):
    return page.submit(f"/admin/customers/{person.id}/suspension", reason=reason)


def reinstate(page, person, reason=REASON):
    return page.submit(f"/admin/customers/{person.id}/reinstatement", reason=reason)


def test_it_ends_their_sessions_with_the_next_request_and_keeps_them_out(admin_page, amara, page, page_of):
    theirs = page_of(amara)
    assert theirs.get("/wallet").status == 200

    assert suspend(admin_page, amara).status == 303

    assert theirs.get("/wallet").location.startswith("/login")
    answer = page.submit("/login", email=amara.email, password=amara.password)
    assert answer.status == 422
    assert "suspend" not in answer.text.lower()


def test_money_neither_leaves_nor_reaches_them(admin_page, amara, bilal, page_of, books):
    suspend(admin_page, amara)
    theirs = page_of(bilal)

    answer = theirs.submit("/transfers/new", recipient=amara.email, amount="1.00")

    assert answer.status == 422
    assert "We found nobody" in answer.text
    assert str(books.available(amara)) == "100.00 USD"


def test_they_are_told_and_the_trail_says_who_and_why(app, admin, admin_page, amara):
    suspend(admin_page, amara)
    reinstate(admin_page, amara, "Case 4711 closed")

    assert mails_to(app, amara)[-2:] == ["Your account is suspended", "Your account is open again"]
    assert audited(app, admin)[:2] == ["user.reinstated", "user.suspended"]
    shown = admin_page.get(f"/admin/customers/{amara.id}").one("section[aria-labelledby=trail]").text
    assert REASON in shown


def test_the_mail_does_not_tell_why(app, admin_page, amara, work, settings):
    suspend(admin_page, amara)
    work()

    mails = [path.read_text() for path in (settings.var / "mail").glob("*.eml")]
    (mail,) = [mail for mail in mails if amara.email in mail and "Your account is suspended" in mail]
    assert "4711" not in mail
    assert "This was done by us" in mail
    assert "If this was you" not in mail


def test_reinstated_they_sign_in_and_send_again(admin_page, amara, bilal, page_of, sent, books):
    suspend(admin_page, amara)
    reinstate(admin_page, amara)

    assert page_of(amara).get("/wallet").status == 200
    sent(amara, bilal, "1.00")
    assert str(books.available(amara)) == "99.00 USD"


def test_a_reason_is_asked_for_and_what_was_typed_is_kept(admin_page, amara, app):
    for typed, words in (("  ", "Say why"), ("x" * 1001, "Use at most 1000 characters")):
        answer = suspend(admin_page, amara, typed)
        assert answer.status == 422
        assert words in answer.one("form[method=post] [role=alert]").get_text()
        assert answer.one("#reason").get_text().strip() == typed.strip()
    assert not is_suspended(app, amara)


def test_twice_is_once(admin_page, amara):
    form = admin_page.get(f"/admin/customers/{amara.id}/suspension")
    assert admin_page.submit_form(form, reason=REASON).status == 303

    again = admin_page.submit_form(form, reason=REASON)
    assert again.status == 422
    assert "This account is suspended already." in again.text


def test_support_and_finance_see_the_person_and_may_not(staff_page, amara):
    for role in ("support", "finance"):
        page = staff_page(role)
        assert page.get(f"/admin/customers/{amara.id}/suspension").status == 403
        assert page.post(f"/admin/customers/{amara.id}/suspension", {"reason": REASON}).status == 403
        assert not page.get(f"/admin/customers/{amara.id}").all("a[href$=suspension]")


def test_staff_are_not_suspended_here(app, admin_page):
    owner = new_staff(app, "owner")

    assert admin_page.get(f"/admin/customers/{owner.id}/suspension").status == 404
    answer = admin_page.post(f"/admin/customers/{owner.id}/suspension", {"reason": REASON})
    assert answer.status == 404


def test_all_sessions_can_be_ended_without_suspending(app, admin, admin_page, amara, page_of):
    theirs = page_of(amara)

    answer = admin_page.submit(f"/admin/customers/{amara.id}/sign-out", reason="They asked by phone")

    assert "1 session ended." in admin_page.follow(answer).text
    assert theirs.get("/wallet").location.startswith("/login")
    assert page_of(amara).get("/wallet").status == 200
    assert audited(app, admin)[0] == "sessions.ended"


def send(app, sender, recipient):
    """Send a dollar straight through the service, as a request does that was let in a moment ago."""
    actor = Actor(user_id=sender.id, role="customer", address=None, request_id=None)
    with app.app_context(), unit_of_work() as session:
        transfers.send(
            session,
            actor=actor,
            recipient=recipient.email,
            amount=Money.of("1.00", "USD"),
            note="",
            request_id=uuid4(),
        )


def suspend_now(app, person, admin):
    with app.app_context(), unit_of_work() as session:
        author = Actor(user_id=admin.id, role="admin", address=None, request_id=None)
        suspension.suspend(session, actor=author, user_id=person.id, reason=REASON)


@pytest.mark.parametrize("whom", ["sender", "recipient"])
def test_a_send_under_way_cannot_slip_through(app, amara, bilal, admin, monkeypatch, whom):
    """The send has found its recipient, and then the suspension is committed before it moves the money."""
    found, suspended = threading.Event(), threading.Event()
    looked_up = transfers.find_recipient

    def find_and_wait(*args, **kwargs):
        recipient = looked_up(*args, **kwargs)
        found.set()
        assert suspended.wait(20)
        return recipient

    monkeypatch.setattr(transfers, "find_recipient", find_and_wait)
    outcome = []

    def run():
        try:
            send(app, amara, bilal)
        except (Suspended, UnknownRecipient) as refusal:
            outcome.append(type(refusal))

    sender = threading.Thread(target=run)
    sender.start()
    assert found.wait(20)
    suspend_now(app, amara if whom == "sender" else bilal, admin)
    suspended.set()
    sender.join(20)

    assert outcome == [Suspended if whom == "sender" else UnknownRecipient]
    with app.app_context():
        assert (
            str(ledger.balance(db.session(), ledger.available(amara.id), Money.of("1", "USD").asset))
            == "100.00 USD"
        )


def test_a_suspension_waits_for_the_send_that_holds_the_person(app, amara, bilal, admin):
    with app.app_context(), unit_of_work() as session:
        assert suspension.hold_open(session, (amara.id, bilal.id)) == {amara.id, bilal.id}
        suspending = threading.Thread(target=suspend_now, args=(app, amara, admin))
        suspending.start()
        suspending.join(0.5)
        assert suspending.is_alive()
        assert session.scalar(select(User.suspended_at).where(User.id == amara.id)) is None
    suspending.join(20)

    assert not suspending.is_alive()
    assert is_suspended(app, amara)


def test_sends_and_suspensions_that_race_leave_nothing_half_done(app, amara, bilal, admin, books):
    """Whatever the order, each send is whole or refused, and after the suspension none comes through."""
    outcomes = []

    def run():
        try:
            send(app, amara, bilal)
            outcomes.append("sent")
        except (Suspended, UnknownRecipient):
            outcomes.append("refused")

    threads = [threading.Thread(target=run) for _ in range(8)]
    threads.insert(4, threading.Thread(target=suspend_now, args=(app, amara, admin)))
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert len(outcomes) == 8
    assert books.available(bilal).minor - 10_000 == 100 * outcomes.count("sent")
    with pytest.raises(Suspended):
        send(app, amara, bilal)
