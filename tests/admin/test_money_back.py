"""Staff give coins back, send back what lies in suspense, and take a second person for what is much."""

from __future__ import annotations

from threading import Barrier, Thread

import httpx
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from advancia import audit
from advancia.admin.approvals.models import Approval
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money, asset
from advancia.payments.models import Refund
from tests.support.payments import pass_on
from tests.support.people import new_staff

BITCOIN = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
ETHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def paid(begun, amara, happen):
    """1,500.00 by card, which is a large amount."""
    deposit = begun(amara, "1500.00")
    happen(deposit.url, "pay")
    return deposit


@pytest.fixture
def coins(begun, amara, happen):
    """0.005 bitcoin, which is not."""
    deposit = begun(amara, "0.005", "BTC")
    happen(deposit.url, "exact", "confirm")
    return deposit


@pytest.fixture
def astray(begun, amara, happen, finance):
    """25 tether in suspense, for they came over another network: the address of their page."""

    def put(amount="25.00"):
        deposit = begun(amara, amount, "USDT")
        happen(deposit.url, "wrong-network", "confirm")
        return finance.get("/admin/payments/suspense?state=open").all("#results a.reach")[0]["href"]

    return put


@pytest.fixture
def finance(app, staff_page):
    return staff_page("finance", new_staff(app, "finance", "Fay Ito"))


@pytest.fixture
def second(app, staff_page):
    return staff_page("finance", new_staff(app, "finance", "Sam Roe"))


def refunds(app):
    with app.app_context():
        return db.session.scalars(select(Refund).order_by(Refund.created_at.desc())).all()


def asked(page, answer):
    """The approval that a form has led to."""
    assert answer.status == 303, answer.text
    assert answer.location.startswith("/admin/approvals/"), answer.location
    return answer.location


def test_coins_go_back_whole_to_an_address_that_staff_type(
    app, finance, coins, amara, books, sandbox, work_through
):
    opened = finance.get(f"/admin/payments/{coins.id}/refund")
    assert "can only go back whole" in opened.text
    assert not opened.all("#amount")
    assert "Address on the Bitcoin network" in opened.text
    answer = finance.submit_form(opened, address=f" {BITCOIN} ", reason="Case 17: sent by mistake")
    assert (answer.status, answer.location) == (303, f"/admin/payments/{coins.id}")
    assert finance.submit_form(opened, address=BITCOIN, reason="Case 17: sent by mistake").status == 303
    work_through()

    assert str(books.available(amara, "BTC")) == "0.00000000 BTC"
    assert sandbox.invoices.of(coins.checkout_id)["refund_address"] == BITCOIN
    shown = finance.get(f"/admin/payments/{coins.id}")
    assert BITCOIN in shown.text
    assert "On its way" in shown.text
    assert "Nothing of this payment is left" in finance.get(f"/admin/payments/{coins.id}/refund").text


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "Enter an address"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "not an address on the Bitcoin network"),
        (ETHER, "not an address on the Bitcoin network"),
        ("T" * 200, "Field cannot be longer"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_beside_its_field(
    finance, coins, amara, books, address, message
):
    answer = finance.submit(f"/admin/payments/{coins.id}/refund", address=address, reason="Case 18")

    assert answer.status == 422
    assert message in answer.text
    assert answer.one("#address").get("value", "") == address
    assert answer.one("#reason").text.strip() == "Case 18"
    assert str(books.available(amara, "BTC")) == "0.00500000 BTC"


def test_what_lies_in_suspense_is_sent_back_from_its_page(app, finance, astray, sandbox, work_through):
    path = astray()
    opened = finance.get(path)
    link = f"{opened.one('form:has(button[name=send_back])')['action']}/return"
    page = finance.get(link)
    assert "leaves suspense now" in page.text
    wrong = finance.submit_form(page, address=BITCOIN, reason="Case 20")
    assert wrong.status == 422
    assert "not an address on the BNB Smart Chain" in wrong.text
    assert finance.submit_form(wrong, address=ETHER.lower(), reason="Case 20").location == path
    assert finance.submit_form(page, address=ETHER, reason="Case 20").status == 303  # a double click
    work_through()

    shown = finance.get(path)
    assert "Given back" in shown.text
    assert ETHER in shown.text
    assert not shown.all("form[action*='suspense']")
    assert "Somebody has decided" in finance.get(link).text
    assert len(refunds(app)) >= 1
    assert refunds(app)[0].state == "pending"


def test_a_large_refund_waits_for_a_second_person_and_is_done_on_the_firsts_terms(
    app, finance, second, paid, amara, books, work_through
):
    path = asked(
        finance, finance.submit(f"/admin/payments/{paid.id}/refund", amount="1200.00", reason="Case 30")
    )
    work_through()
    assert str(books.available(amara)) == "1,500.00 USD"
    own = finance.get(path)
    assert "You asked for this" in own.text
    assert not own.all("form[action$='/grant']")
    assert "waits for a second person" in finance.get(f"/admin/payments/{paid.id}").text
    assert "Refund of 1,200.00 USD" in second.get("/admin/approvals/?state=open").text
    seen = second.get(path)
    assert "1,200.00 USD is taken from Amara Okafor, who has 1,500.00 USD now." in seen.text
    assert "Case 30" in seen.text
    assert second.submit_form(seen, form="form[action$='/grant']", reason="Looked at it").status == 303
    work_through()

    assert str(books.available(amara)) == "300.00 USD"
    refund = refunds(app)[0]
    assert (refund.reason, refund.state) == ("Case 30", "succeeded")
    with app.app_context():
        approval = db.session.scalars(select(Approval).order_by(Approval.asked_at.desc()).limit(1)).one()
        [line] = audit.records_of(db.session(), kind="refund", id=refund.id, limit=5)
    assert (approval.state, refund.asked_by) == ("granted", approval.asked_by)
    assert (line.actor_id, line.after["asked_by"]) == (approval.decided_by, approval.asked_by)


def test_small_refunds_that_together_are_large_need_a_second_person_too(finance, paid, amara, books):
    first = finance.submit(f"/admin/payments/{paid.id}/refund", amount="600.00", reason="Case 31")
    assert first.location == f"/admin/payments/{paid.id}"
    asked(finance, finance.submit(f"/admin/payments/{paid.id}/refund", amount="600.00", reason="Case 31"))

    assert str(books.available(amara)) == "900.00 USD"


def test_two_at_once_do_not_slip_below_the_threshold(app, finance, paid, amara, books):
    from uuid import uuid4

    from advancia.admin.approvals.errors import NeedsSecondPerson
    from advancia.admin.payments import second_person
    from advancia.core.context import Actor

    actor, start, outcomes = Actor(new_staff(app, "finance").id, "finance", None, None), Barrier(2), []

    def one():
        start.wait()
        try:
            with app.app_context(), unit_of_work() as session:
                second_person.refund(
                    session, actor=actor, deposit_id=paid.id, amount=Money.of("600.00", "USD"), reason="Twice",
                    request_id=uuid4(),
                )  # fmt: skip
            outcomes.append("done")
        except NeedsSecondPerson:
            outcomes.append("asked")

    threads = [Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["asked", "done"]
    assert str(books.available(amara)) == "900.00 USD"


def test_nobody_grants_what_they_asked_for_not_even_past_the_pages(app, finance, paid):
    path = asked(
        finance, finance.submit(f"/admin/payments/{paid.id}/refund", amount="1200.00", reason="Case 32")
    )
    refused = finance.post(f"{path}/grant", {"reason": "Myself"}, headers={"Origin": "http://localhost"})
    assert refused.status == 422
    assert "somebody else has to decide" in refused.text
    with pytest.raises(IntegrityError), app.app_context(), unit_of_work() as session:
        session.execute(
            update(Approval)
            .where(Approval.id == path.rsplit("/", 1)[1])
            .values(state="granted", decided_by=Approval.asked_by, decided_at=text("now()"))
        )


def test_a_refusal_and_a_withdrawal_move_nothing(finance, second, paid, amara, books, work_through):
    for page, action in ((second, "/refusal"), (finance, "/withdrawal")):
        path = asked(
            finance, finance.submit(f"/admin/payments/{paid.id}/refund", amount="1200.00", reason="Case 33")
        )
        page.get(path)
        answer = page.post(f"{path}{action}", {"reason": "Not now"}, headers={"Origin": "http://localhost"})
        assert answer.status == 303, answer.text
    work_through()

    assert str(books.available(amara)) == "1,500.00 USD"


def test_what_cannot_be_done_any_more_is_said_and_stays_open(
    finance, second, paid, amara, books, work_through
):
    path = asked(
        finance, finance.submit(f"/admin/payments/{paid.id}/refund", amount="1200.00", reason="Case 34")
    )
    assert finance.get(f"/admin/payments/{paid.id}/refund").text.count("waits for a second person") == 1
    with_refund = finance.post(  # a colleague whose form stood open already
        f"/admin/payments/{paid.id}/refund",
        {"amount": "400.00", "reason": "Case 35", "request_id": "8b03432e-385b-4670-8d06-064591096795"},
        headers={"Origin": "http://localhost"},
    )
    assert with_refund.status == 303
    seen = second.get(path)
    assert "Only 1,100.00 USD of this payment can still be refunded" in seen.text
    answer = second.submit_form(seen, form="form[action$='/grant']", reason="Yes")
    assert answer.status == 422
    assert "At most 1,100.00 USD" in answer.text
    assert second.get(path).all("form[action$='/grant']")


def test_large_coins_out_of_suspense_are_credited_by_a_second_person(
    finance, second, astray, amara, books, work_through
):
    stray = astray("2500.00")
    opened = finance.get(stray)
    assert "either takes a second person" in opened.text
    path = asked(finance, finance.submit_form(opened, who=amara.email, reason="Case 40"))
    assert str(books.available(amara, "USDT")) == "0.000000 USDT"
    assert "waits for a second person" in finance.get(stray).text
    assert "waits for a second person" in finance.get(f"{stray}/return").text
    seen = second.get(path)
    assert "Credit out of suspense of 2,500.000000 USDT" in seen.text
    assert "is Amara Okafor's" in seen.text
    assert second.submit_form(seen, form="form[action$='/grant']", reason="Right").status == 303

    assert str(books.available(amara, "USDT")) == "2,500.000000 USDT"


def test_large_coins_are_sent_back_by_a_second_person_to_the_address_of_the_first(
    app, finance, second, astray, sandbox, work_through
):
    stray = astray("2500.00")
    path = asked(finance, finance.submit(f"{stray}/return", address=ETHER, reason="Case 41"))
    work_through()
    assert "Waiting" in finance.get(stray).text
    seen = second.get(path)
    assert ETHER in seen.text
    assert "lies in suspense again" in seen.text
    assert second.submit_form(seen, form="form[action$='/grant']", reason="Right").status == 303
    work_through()

    refund = refunds(app)[0]
    assert (refund.address, refund.state, refund.reason) == (ETHER, "pending", "Case 41")


def test_the_list_tells_what_waits_in_all(finance, astray):
    def waiting():
        words = finance.get("/admin/payments/suspense").text.partition("Waiting for a decision: ")[2]
        [told] = [each for each in words.partition(". ")[0].split(", ") if each.endswith("USDT")] or ["0"]
        return (
            Money.parse(told.split()[0].replace(",", ""), asset("USDT"))
            if told != "0"
            else Money(0, asset("USDT"))
        )

    astray()
    before = waiting()
    astray("30.00")
    assert waiting() - before == Money.of("30.00", "USDT")


def test_support_sees_no_way_to_give_money_away(staff_page, coins, astray):
    page, stray = staff_page("support"), astray()

    assert page.get(stray).status == 403
    assert page.get(f"{stray}/return").status == 403
    assert not page.get(f"/admin/payments/{coins.id}").all("a[href$='/refund'], form[action$='/resend']")


def test_a_rollback_is_still_decided_by_an_admin_alone(app, finance, staff_page, sent, txn_id_of, customer):
    from advancia.admin.rollbacks import services as rollbacks
    from advancia.core.context import Actor

    txn = txn_id_of(sent(customer(USD="9.00"), customer("Bilal Haddad"), "3.00"))
    asker = Actor(new_staff(app, "admin").id, "admin", None, None)
    with app.app_context(), unit_of_work() as session:
        approval = rollbacks.ask(session, actor=asker, txn_id=txn, reason="Wrong", allow_debt=False)

    assert not finance.get(f"/admin/approvals/{approval}").all("form[action$='/grant']")
    answer = finance.post(
        f"/admin/approvals/{approval}/grant", {"reason": "Yes"}, headers={"Origin": "http://localhost"}
    )
    assert answer.status == 403
    assert staff_page("admin").get(f"/admin/approvals/{approval}").all("form[action$='/grant']")


def test_admins_ask_the_provider_to_tell_of_a_deposit_again(
    app, staff_page, sandbox, coins, page, work_through
):
    admin, seen = staff_page("admin"), len(sandbox.deliveries())
    answer = admin.submit(f"/admin/payments/{coins.id}", form="form[action$='/resend']")
    assert answer.status == 303
    assert "It comes into the inbox" in admin.get(answer.location).text

    assert len(sandbox.deliveries()) == seen + 1
    with app.app_context():
        [line] = audit.records_of(db.session(), kind="deposit", id=coins.id, limit=5)
    assert line.action == "webhook.asked_again"


def test_a_provider_that_does_not_answer_is_said_and_not_noted(app, staff_page, sandbox, coins):
    from advancia.providers.sandbox.faults import Fault

    admin = staff_page("admin")
    sandbox.fail_next(Fault.UNAVAILABLE)
    answer = admin.submit(f"/admin/payments/{coins.id}", form="form[action$='/resend']")

    assert "could not reach" in admin.get(answer.location).text
    with app.app_context():
        assert audit.records_of(db.session(), kind="deposit", id=coins.id, limit=5) == []


def test_a_deposit_by_card_and_one_that_is_gone_elsewhere_have_nobody_to_ask(staff_page, paid):
    admin = staff_page("admin")
    assert not admin.get(f"/admin/payments/{paid.id}").all("form[action$='/resend']")
    answer = admin.post(f"/admin/payments/{paid.id}/resend", {}, headers={"Origin": "http://localhost"})

    assert "nobody to be asked" in admin.get(answer.location).text


def test_disputes_say_where_their_money_is(finance, sandbox, begun, amara, happen, page, work_through, app):
    deposit = begun(amara, "40.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False)
    with app.app_context(), unit_of_work() as session:
        session.execute(text("UPDATE users SET suspended_at = now() WHERE id = :id"), {"id": amara.id})
    sandbox.cards.disputes.open(sandbox.cards.checkouts.page(deposit.checkout_id)["payment_intent"])
    for event in sandbox.deliveries():
        pass_on(page, event)
    work_through()

    assert "In suspense" in finance.get("/admin/payments/disputes").one("#results").text
    stray = finance.get("/admin/payments/suspense?state=open").all("#results a.reach")[0]["href"]
    shown = finance.get(stray)
    assert "bank disputes this payment" in shown.text
    assert not shown.all("form[action*='suspense']")


def test_coins_that_could_not_be_given_back_do_not_leave_their_deposit_as_rolled_back(
    finance, coins, txn_id_of, happen, work_through
):
    txn = txn_id_of(f"deposit:{coins.id}")
    finance.submit(f"/admin/payments/{coins.id}/refund", address=BITCOIN, reason="Case 71: by mistake")
    work_through()
    under_way = finance.get(f"/admin/transactions/{txn}")
    assert "Refunded" in under_way.one("h1").text
    assert "Rolled back" not in under_way.text
    happen(coins.url, "not-given-back")

    shown = finance.get(f"/admin/transactions/{txn}")
    assert not shown.all("h1 .tag")
    assert "which was undone" in shown.text
    assert "Rolled back" not in shown.text
