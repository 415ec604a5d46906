"""Rolling back: a look, a reason, and it is done once, with both sides told."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from advancia import audit, ledger
from advancia.admin.approvals.models import Approval
from advancia.admin.rollbacks import services
from advancia.core.context import Actor
from advancia.core.db import db, in_unit_of_work
from advancia.core.money import Money
from advancia.core.outbox import OutboxRow
from tests.support.factors import code, enrol_totp, forget_used_codes, let_minutes_pass, sign_in_with_code
from tests.support.pages import filled_in
from tests.support.people import new_staff

REASON = "Case 4711: sent to the wrong person"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="100.00")


@pytest.fixture
def bilal(customer):
    return customer("Bilal Haddad")


@pytest.fixture
def admin(app):
    return new_staff(app, "admin", "Ada Brandt")


@pytest.fixture
def admin_page(staff_page, admin):
    return staff_page("admin", admin)


@pytest.fixture
def txn(amara, bilal, sent, txn_id_of):
    """Amara has sent Bilal 30 dollars."""
    return txn_id_of(sent(amara, bilal, "30.00", note="Rent"))


@pytest.fixture
def old(monkeypatch):
    """Everything is older than one person may roll back alone."""
    monkeypatch.setattr("advancia.admin.rollbacks.queries.ALONE", timedelta(seconds=-1))


def preview(page, txn):
    return page.get(f"/admin/transactions/{txn}/rollback")


def roll_back(page, txn, **fields):
    return page.submit(f"/admin/transactions/{txn}/rollback", **{"reason": REASON, **fields})


def letters(app, person):
    with app.app_context():
        chosen = select(OutboxRow.payload).where(
            OutboxRow.payload["template"].astext == "rolled_back",
            OutboxRow.payload["user_id"].as_integer() == person.id,
        )
        return list(db.session.scalars(chosen))


def rollbacks_in_trail(app, txn):
    with app.app_context():
        return audit.records_of(db.session(), kind="transaction", id=txn, limit=10)


def test_the_preview_shows_the_mirror_and_what_each_customer_will_find(admin_page, txn, books, amara):
    answer = preview(admin_page, txn)

    debit, credit = answer.all("table.legs tbody tr")
    assert [cell.get_text(strip=True) for cell in debit.select("td")] == [
        "Bilal Haddad",
        "30.00",
        "",
        "30.00",
        "0.00",
    ]
    assert [cell.get_text(strip=True) for cell in credit.select("td")] == [
        "Amara Okafor",
        "",
        "30.00",
        "70.00",
        "100.00",
    ]
    words = answer.one("ul.effects").get_text(" ", strip=True)
    assert "Amara Okafor finds “Rolled back” in the history, + 30.00 USD" in " ".join(words.split())
    assert str(books.available(amara)) == "70.00 USD"


def test_it_is_undone_and_both_find_it_in_their_history(
    app, admin_page, txn, amara, bilal, books, page_of, work
):
    answer = roll_back(admin_page, txn)

    shown = admin_page.follow(answer)
    assert "Rolls back" in shown.text
    assert "Rolled back" in admin_page.get(f"/admin/transactions/{txn}").one("h1").get_text()
    assert (str(books.available(amara)), str(books.available(bilal))) == ("100.00 USD", "0.00 USD")
    history = page_of(amara).get("/history").text
    assert "Rolled back: to Bilal Haddad" in history
    assert "Rolled back: from Amara Okafor" in page_of(bilal).get("/history").text
    books.prove()


def test_the_receipts_say_that_it_was_undone_and_lead_to_the_entry_that_did(
    admin_page, amara, bilal, sent, txn_id_of, page_of
):
    reference = sent(amara, bilal, "30.00")
    roll_back(admin_page, txn_id_of(reference))
    page = page_of(amara)

    for path in (f"/history/{reference}", f"/transfers/{reference.removeprefix('transfer:')}"):
        receipt = page.get(path)
        assert "This was rolled back." in receipt.text
        assert "Rolled back: to Bilal Haddad" in page.get(receipt.one(".note a")["href"]).text


def test_both_get_a_mail_without_the_reason_and_the_trail_has_it(
    app, admin, admin_page, txn, amara, bilal, work, settings
):
    roll_back(admin_page, txn)

    assert letters(app, amara)[0]["facts"]["lines"] == [["Back in your wallet", "30.00 USD"]]
    assert letters(app, bilal)[0]["facts"]["lines"] == [["Taken out of your wallet", "30.00 USD"]]
    assert letters(app, amara)[0]["facts"]["deed"] == "your transfer of 30.00 USD to Bilal Haddad"
    assert letters(app, bilal)[0]["facts"]["deed"] == "the transfer of 30.00 USD to you from Amara Okafor"
    (line,) = rollbacks_in_trail(app, txn)
    assert (line.action, line.actor_id, line.reason) == ("transaction.rolled_back", admin.id, REASON)
    work()
    mails = [path.read_text() for path in (settings.var / "mail").glob("*.eml")]
    theirs = [mail for mail in mails if "rolled back a transfer" in mail and amara.email in mail]
    assert len(theirs) == 1
    assert "4711" not in theirs[0]


def test_a_double_click_is_one_rollback(app, admin_page, txn, amara):
    form = preview(admin_page, txn)
    first = admin_page.submit_form(form, reason=REASON)
    second = admin_page.submit_form(form, reason=REASON)

    assert first.location == second.location
    assert len(rollbacks_in_trail(app, txn)) == 1
    assert len(letters(app, amara)) == 1


def race(app, txn, tries):
    """Roll back with all of these (person, request id) at once; return the ids, or the refusals, that came of it."""
    outcomes, ready = [], threading.Barrier(len(tries))

    def run(person, request_id):
        actor = Actor(user_id=person.id, role="admin", address=None, request_id=None)
        ready.wait(20)
        with app.app_context():
            try:
                outcomes.append(
                    in_unit_of_work(
                        lambda session: services.roll_back(
                            session,
                            actor=actor,
                            txn_id=txn,
                            reason=REASON,
                            allow_debt=False,
                            request_id=request_id,
                        )
                    )
                )
            except ledger.LedgerError as refusal:
                outcomes.append(type(refusal))

    threads = [threading.Thread(target=run, args=each) for each in tries]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    return outcomes


def test_a_double_click_that_races_itself_is_one_rollback(app, admin, txn, amara, books):
    request_id = uuid4()
    outcomes = race(app, txn, [(admin, request_id)] * 6)

    assert len(set(outcomes)) == 1
    assert isinstance(outcomes[0], int)
    assert len(rollbacks_in_trail(app, txn)) == 1
    assert len(letters(app, amara)) == 1
    assert str(books.available(amara)) == "100.00 USD"


def test_of_two_staff_at_once_one_does_it_and_the_other_is_told(app, admin, txn, amara, books):
    other = new_staff(app, "owner", "Olu Winters")
    outcomes = race(app, txn, [(admin, uuid4()), (other, uuid4()), (admin, uuid4()), (other, uuid4())])

    assert sorted(isinstance(each, int) for each in outcomes) == [False, False, False, True]
    assert ledger.AlreadyReversed in outcomes
    assert len(rollbacks_in_trail(app, txn)) == 1
    assert str(books.available(amara)) == "100.00 USD"


def test_what_was_rolled_back_and_rollbacks_themselves_are_refused(admin_page, txn):
    form = preview(admin_page, txn)
    rollback = int(roll_back(admin_page, txn).location.rpartition("/")[2])

    assert "This was already reversed" in preview(admin_page, txn).text
    late = admin_page.submit_form(form, reason=REASON, request_id=str(uuid4()))
    assert late.status == 422
    assert "This was already reversed" in late.text
    assert "A reversal cannot be reversed" in preview(admin_page, rollback).text
    again = admin_page.post(
        f"/admin/transactions/{rollback}/rollback", {"reason": REASON, "request_id": str(uuid4())}
    )
    assert again.status == 422


def test_spent_money_is_told_before_and_refused(admin_page, txn, amara, bilal, customer, sent, books):
    sent(bilal, customer("Chidi Anagonye"), "20.00")

    shown = preview(admin_page, txn)
    assert "20.00 USD is missing" in " ".join(shown.one("ul.effects").get_text(" ", strip=True).split())
    refused = roll_back(admin_page, txn)

    assert refused.status == 422
    assert "spent meanwhile" in refused.text
    assert refused.one("#reason").get_text().strip() == REASON
    assert str(books.available(amara)) == "70.00 USD"


def test_with_the_box_ticked_what_is_missing_becomes_a_debt(
    app, admin_page, txn, amara, bilal, customer, sent, books, page_of
):
    sent(bilal, customer("Chidi Anagonye"), "20.00")

    assert roll_back(admin_page, txn, allow_debt="y").status == 303

    assert (str(books.available(amara)), str(books.available(bilal))) == ("100.00 USD", "0.00 USD")
    assert (
        "20.00"
        in admin_page.get(f"/admin/customers/{bilal.id}").one("section[aria-labelledby=balances]").text
    )
    assert ["You owe us", "20.00 USD"] in letters(app, bilal)[0]["facts"]["lines"]
    assert "You owe us 20.00 USD" in page_of(bilal).get("/wallet").text
    books.prove()


def test_a_reason_is_asked_for_and_the_box_stays_ticked(admin_page, txn, bilal, customer, sent, books):
    sent(bilal, customer("Chidi Anagonye"), "20.00")
    answer = roll_back(admin_page, txn, reason="", allow_debt="y")

    assert answer.status == 422
    assert "Say why" in answer.text
    assert answer.one("#allow_debt").has_attr("checked")


def test_only_who_may_roll_back_is_offered_it_and_let_in(staff_page, txn):
    for role, may in (("support", False), ("finance", False), ("admin", True), ("owner", True)):
        page = staff_page(role)
        offered = page.get(f"/admin/transactions/{txn}").all("a[href$=rollback]")
        assert bool(offered) is may, role
        assert preview(page, txn).status == (200 if may else 403), role


def test_it_asks_for_a_fresh_proof_first(app, admin, admin_page, txn):
    let_minutes_pass(app, admin)
    assert preview(admin_page, txn).location.startswith("/confirm")
    sent = admin_page.post(
        f"/admin/transactions/{txn}/rollback", {"reason": REASON, "request_id": str(uuid4())}
    )
    assert sent.location.startswith("/confirm")


def test_a_proof_that_ran_out_meanwhile_loses_nothing_of_what_was_typed(app, admin, page, txn, amara, books):
    secret = enrol_totp(app, admin)
    sign_in_with_code(page, admin, secret)
    form = filled_in(preview(page, txn).all("main form")[0])
    let_minutes_pass(app, admin)

    asked = page.post(
        f"/admin/transactions/{txn}/rollback",
        {**form, "reason": REASON},
        headers={"Origin": "http://localhost"},
    )
    assert asked.location.startswith("/confirm")
    forget_used_codes(app, admin)
    proved = page.submit_form(page.follow(asked), password=admin.password, code=code(secret))
    back = page.follow(proved)

    assert back.one("#reason").get_text().strip() == REASON
    assert str(books.available(amara)) == "70.00 USD"
    assert page.submit_form(back).status == 303
    assert str(books.available(amara)) == "100.00 USD"


# Older than a day


def asked(page, txn, **fields):
    answer = roll_back(page, txn, **fields)
    assert answer.status == 303, answer.text
    return answer.location


def test_what_is_old_waits_for_a_second_person_who_sees_what_it_would_do(
    app, staff_page, admin_page, txn, old, amara, books
):
    assert "older than 24 hours" in preview(admin_page, txn).text
    where = asked(admin_page, txn)
    assert str(books.available(amara)) == "70.00 USD"

    second = staff_page("admin")
    shown = second.get(where)
    assert REASON in shown.text
    assert shown.all("table.legs")
    granted = second.submit_form(shown, reason="Seen and right")

    assert "Granted" in second.follow(granted).one("h1").get_text()
    assert str(books.available(amara)) == "100.00 USD"
    (line,) = rollbacks_in_trail(app, txn)
    assert line.reason == REASON
    books.prove()


def test_nobody_approves_their_own(admin_page, txn, old, amara, books):
    where = asked(admin_page, txn)
    admin_page.get(where)

    for verb in ("grant", "refusal"):
        answer = admin_page.post(f"{where}/{verb}", {"reason": "I may"})
        assert answer.status == 422
        assert "somebody else has to decide" in answer.text
    assert not admin_page.get(where).all("form[action$=grant]")
    assert str(books.available(amara)) == "70.00 USD"


def test_the_database_itself_lets_nobody_approve_their_own(
    app, owner_connection, admin_page, admin, txn, old
):
    approval_id = asked(admin_page, txn).rpartition("/")[2]

    for statement in (
        "update approval set state = 'granted', decided_by = asked_by, decided_at = now()",
        "update approval set state = 'granted', decided_at = now()",
        "update approval set state = 'granted'",
    ):
        with pytest.raises(Exception, match="violates check constraint"), owner_connection.transaction():
            owner_connection.execute(f"{statement} where id = %s", (approval_id,))
    with app.app_context():
        for statement in ("update approval set asked_by = asked_by", "delete from approval"):
            with pytest.raises(Exception, match="permission denied"):
                db.session.execute(text(statement))
            db.session.rollback()


def test_a_decision_stands(owner_connection, staff_page, admin_page, txn, old, amara, books):
    where = asked(admin_page, txn)
    second = staff_page("owner")
    refused = second.submit_form(second.get(where), reason="Not without the customer's word")
    second.get("/admin/approvals/")
    second.post(f"{where}/refusal", {"reason": "No"})
    again = second.post(f"{where}/grant", {"reason": "Yes after all"})

    assert again.status == 303
    assert str(books.available(amara)) == "100.00 USD" or refused.status == 303
    with pytest.raises(Exception, match="this was decided"), owner_connection.transaction():
        owner_connection.execute(
            "update approval set decision = 'x' where id = %s", (where.rpartition("/")[2],)
        )


def test_a_refusal_moves_nothing_and_it_can_be_asked_for_again(
    staff_page, admin_page, txn, old, amara, books
):
    where = asked(admin_page, txn)
    second = staff_page("owner")
    second.get(where)

    assert second.post(f"{where}/refusal", {"reason": "Not without their word"}).status == 303
    assert second.post(f"{where}/grant", {"reason": "Yes after all"}).status == 303
    assert str(books.available(amara)) == "70.00 USD"
    assert "Refused" in second.get(where).one("h1").get_text()
    assert asked(admin_page, txn) != where


def test_only_who_asked_withdraws(staff_page, admin_page, txn, old):
    where = asked(admin_page, txn)
    other = staff_page("admin")
    other.get(where)

    assert other.post(f"{where}/withdrawal", {"reason": "Not needed"}).status == 422
    assert admin_page.submit_form(admin_page.get(where), reason="Not needed").status == 303
    assert "Withdrawn" in admin_page.get(where).one("h1").get_text()


def test_one_request_about_one_transaction_waits_at_a_time(app, staff_page, admin_page, txn, old):
    form = preview(admin_page, txn)
    first = admin_page.submit_form(form, reason=REASON)
    assert admin_page.submit_form(form, reason=REASON).location == first.location

    other = staff_page("admin")
    assert "Somebody has asked for this already" in preview(other, txn).text
    late = other.post(f"/admin/transactions/{txn}/rollback", {"reason": "Me too", "request_id": str(uuid4())})
    assert late.status == 422
    assert "Somebody has asked for this already" in late.text
    with app.app_context():
        waiting = db.session.scalars(select(Approval).where(Approval.subject == str(txn))).all()
    assert len(waiting) == 1


def test_a_grant_that_finds_the_money_spent_changes_nothing_and_can_be_refused(
    staff_page, admin_page, txn, old, bilal, customer, sent, books
):
    where = asked(admin_page, txn)
    sent(bilal, customer("Chidi Anagonye"), "20.00")
    second = staff_page("admin")
    answer = second.submit_form(second.get(where), reason="Seen and right")

    assert answer.status == 422
    assert "not enough money" in answer.text
    assert "Open" in answer.one("h1").get_text()
    assert second.post(f"{where}/refusal", {"reason": "Ask again with the debt"}).status == 303


def test_finance_sees_what_waits_and_does_not_decide_on_it(staff_page, admin_page, txn, old):
    where = asked(admin_page, txn)
    page = staff_page("finance")

    assert f"Rollback of #{txn}" in page.get("/admin/approvals/?state=open").text
    assert not page.get(where).all("form[action$=grant]")
    assert page.post(f"{where}/grant", {"reason": "Yes"}).status == 403


def test_a_capture_is_undone_as_available_money(app, admin_page, amara, books):
    with app.app_context():
        in_unit_of_work(
            lambda session: ledger.hold(
                session,
                reference=f"test:hold:{amara.id}",
                kind="hold",
                user_id=amara.id,
                amount=Money.of("40", "USD"),
            )
        )
        captured = in_unit_of_work(
            lambda session: ledger.capture(
                session,
                hold_reference=f"test:hold:{amara.id}",
                reference=f"test:capture:{amara.id}",
                destination=ledger.house("fees"),
            )
        )
        hold = ledger.transaction(db.session(), f"test:hold:{amara.id}").id

    assert "released, not reversed" in preview(admin_page, hold).text
    shown = preview(admin_page, captured.txn_id)
    assert "100.00" in shown.one("ul.effects").get_text()
    assert roll_back(admin_page, captured.txn_id).status == 303
    assert str(books.available(amara)) == "100.00 USD"
