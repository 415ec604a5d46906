"""Money is paused within a second, everywhere, and released again."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, text

from advancia import audit, ledger
from advancia.core import lockdown as rows
from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.lockdown import Lockdown, MoneyPaused
from advancia.core.money import Money
from advancia.core.outbox import OutboxRow
from advancia.ledger import freezing
from advancia.ops import lockdown
from advancia.web import lockdown as doors

REASON = "Trying the pause"


@pytest.fixture
def paused(app):
    """Money is paused until the test is over."""
    with app.app_context():
        lockdown.begin(reason=REASON)
    yield
    with app.app_context():
        lockdown.lift(reason=REASON)


def pay(session, customer, reference):
    return ledger.post(
        session,
        reference=reference,
        kind="opening",
        postings=[
            ledger.Posting(ledger.house("treasury"), ledger.available(customer.id), Money.of("1.00", "USD"))
        ],
    )


def test_the_ledger_refuses_every_way_to_post_and_nothing_moves(app, customer, books):
    amara = customer(USD="10.00")
    with app.app_context():
        with unit_of_work() as session:
            ledger.hold(
                session, reference="pause:hold", kind="hold", user_id=amara.id, amount=Money.of("1.00", "USD")
            )
        lockdown.begin(reason=REASON)
    item = ledger.BatchItem(
        "pause:many", "opening",
        [ledger.Posting(ledger.house("treasury"), ledger.available(amara.id), Money.of("1.00", "USD"))],
    )  # fmt: skip
    ways = (
        lambda session: pay(session, amara, "pause:1"),
        lambda session: ledger.post_many(session, [item], atomic=True),
        lambda session: ledger.release(session, hold_reference="pause:hold", reference="pause:release"),
    )
    try:
        for way in ways:
            with (
                app.app_context(),
                pytest.raises(MoneyPaused, match="Money is paused"),
                unit_of_work() as session,
            ):
                way(session)
        assert str(books.available(amara)) == "9.00 USD"
    finally:
        with app.app_context():
            lockdown.lift(reason=REASON)
    with app.app_context(), unit_of_work() as session:
        assert not pay(session, amara, "pause:1").replayed


def test_a_posting_that_has_begun_is_waited_for(app, customer):
    amara = customer()
    with app.app_context(), unit_of_work() as session:
        pay(session, amara, "pause:begun")
        with pytest.raises(freezing.StillPosting, match="left open"):
            freezing.freeze(session, on=True, patience=0)
        assert not freezing.is_frozen(session)


def test_customers_meet_a_closed_page_and_what_they_ask_for_is_not_half_done(
    customer, page_of, books, paused_after
):
    amara, bilal = customer(USD="10.00"), customer("Bilal Haddad")
    page = page_of(amara)
    form = page.get("/transfers/new")
    paused_after()

    for answer in (page.get("/wallet"), page.submit_form(form, recipient=bilal.email, amount="1.00")):
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "Money is paused" in answer.text
        assert "Your balances are safe" in answer.text
    alert = page.get("/wallet", htmx_target="div#live")
    assert (alert.status, alert.headers["HX-Retarget"]) == (503, "#alerts")
    assert str(books.available(amara)) == "10.00 USD"


@pytest.fixture
def paused_after(app):
    """Pause money in the middle of a test."""

    def pause(*, is_total=False):
        with app.app_context():
            lockdown.begin(reason=REASON, is_total=is_total)

    yield pause
    with app.app_context():
        lockdown.lift(reason=REASON)


@pytest.mark.parametrize("path", ["/login", "/status", "/help", "/health", "/api/health", "/"])
def test_signing_in_status_help_and_health_stay_open(page, paused, path):
    assert page.get(path).status == 200


def test_the_page_of_status_says_that_money_is_paused(page, paused):
    shown = page.get("/status")

    assert "Everything works" not in shown.text
    assert "Money Paused for" in shown.one("ul.lines").get_text(" ", strip=True)
    assert shown.all("ul.lines .tag")[0].text.strip() == "Paused"


def test_from_the_closed_page_a_customer_sees_how_things_stand_and_can_sign_out(
    customer, page_of, paused_after
):
    page = page_of(customer())
    paused_after()
    closed = page.get("/wallet")

    assert closed.one("main a.button")["href"] == "/status"
    assert page.submit_form(closed, form="header form[action='/logout']").status == 303
    assert not page.get("/wallet").all("header form[action='/logout']")


def test_health_says_that_money_is_paused(page, paused):
    body = json.loads(page.get("/api/health").html)

    assert "money" in body["degraded"]
    assert body["parts"]["money"]["words"].startswith("Paused for")


def test_the_pages_of_staff_stay_open(staff_page, paused):
    assert staff_page("owner").get("/admin/").status == 200


def test_providers_are_told_to_send_again(page, paused):
    assert page.post("/webhooks/stripe", {}).status == 503


def test_while_the_database_is_replaced_staff_wait_as_well(staff_page, paused_after):
    page = staff_page("owner")
    paused_after(is_total=True)

    assert page.get("/admin/").status == 503
    assert page.get("/health").status == 200


def test_every_page_that_stays_open_is_there(app):
    named = {each for each in doors.ALWAYS_OPEN | doors.TO_SIGN_IN if each}

    assert named - set(app.view_functions) == set()


def test_work_that_moves_money_waits_and_no_try_of_it_is_spent(app, paused, work):
    with app.app_context():
        with unit_of_work() as session:
            outbox.put(session, Job.BOOK_FEE, deposit_id="00000000-0000-4000-8000-00000000dead")
        work()
        row = db.session.scalars(select(OutboxRow).order_by(OutboxRow.id.desc()).limit(1)).one()
        assert (row.kind, row.attempts, row.done_at, row.last_error) == ("book_fee", 0, None, None)
        with unit_of_work() as session:
            session.execute(text("delete from outbox where id = :id"), {"id": row.id})


def test_of_every_job_it_is_said_whether_it_waits():
    assert set(Job) - rows.GOES_ON == {
        Job.APPLY_WEBHOOK, Job.EXPIRE_DEPOSITS, Job.BOOK_FEE, Job.SEND_REFUND, Job.CHASE_PAYMENTS
    }  # fmt: skip


def test_letters_go_on_but_nothing_does_while_the_database_is_replaced():
    paused = Lockdown(None, REASON, None, is_total=False)
    replaced = Lockdown(None, REASON, None, is_total=True)

    assert not paused.stops(Job.SEND_EMAIL)
    assert paused.stops(Job.APPLY_WEBHOOK)
    assert paused.stops("a job of tomorrow")
    assert replaced.stops(Job.SEND_EMAIL)


def test_pausing_and_releasing_is_written_down_once_each(app):
    with app.app_context():
        assert lockdown.begin(reason=REASON)
        assert not lockdown.begin(reason=REASON)
        assert lockdown.state(db.session()).is_frozen
        assert lockdown.lift(reason="Tried")
        assert not lockdown.lift(reason="Tried")
        lines = audit.records_of(db.session(), kind="lockdown", id=1, limit=2)
        assert sorted(line.action for line in lines) == ["lockdown.begun", "lockdown.lifted"]


def test_the_commands_say_what_is_so(app):
    run = app.test_cli_runner().invoke

    assert run(args=["lockdown", "status"]).output == "Money moves.\n"
    assert "Money is paused" in run(args=["lockdown", "on", "--reason", REASON]).output
    told = run(args=["lockdown", "status"])
    assert (told.exit_code, REASON in told.output) == (1, True)
    assert run(args=["lockdown", "off", "--reason", "Tried"]).output == "Money moves again.\n"
    assert run(args=["lockdown", "off", "--reason", "Tried"]).output == "Money was not paused.\n"


def test_half_a_pause_is_said(app):
    with app.app_context():
        freezing.freeze(db.session(), on=True)
    try:
        told = app.test_cli_runner().invoke(args=["lockdown", "status"])
        assert told.exit_code == 1
        assert "by half only" in told.output
    finally:
        with app.app_context():
            lockdown.lift(reason=REASON)


def test_a_process_that_cannot_read_the_row_because_it_is_replaced_takes_it_for_closed(app, owner_connection):
    with app.app_context():
        watch = rows.Watch(lambda: db.engine)
        owner_connection.execute("lock table lockdown in access exclusive mode")
        found = watch.now()
        owner_connection.rollback()

    assert found is not None
    assert found.is_total
