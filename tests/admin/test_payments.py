"""Staff see what is paid in and what became of it, refund it, and decide about what lies in suspense."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from advancia.core.db import db, unit_of_work
from tests.support.payments import pass_on


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def paid(begun, amara, happen):
    deposit = begun(amara, "100.00")
    happen(deposit.url, "pay")
    return deposit


@pytest.fixture
def finance(staff_page):
    return staff_page("finance")


def test_deposits_are_listed_and_found_by_customer_and_state(staff_page, paid, begun, amara, customer):
    begun(customer("Bilal Haddad"), "7.00")
    page = staff_page("support")

    shown = page.get(f"/admin/payments/?who={amara.email}")
    assert "100.00 USD" in shown.text
    assert "Paid in" in shown.text
    assert "7.00 USD" not in shown.text
    assert "100.00" not in page.get(f"/admin/payments/?who={amara.email}&state=expired").one("#results").text
    assert "No deposit fits" in page.get("/admin/payments/?who=nobody@nowhere.example").text


def test_the_list_goes_on_by_pages_without_gap_or_double(app, staff_page, begun, amara, monkeypatch):
    from advancia.admin.payments import views

    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    amounts = ["1.11", "2.22", "3.33", "4.44", "5.55"]
    for amount in amounts:
        begun(amara, amount)
    page, url, seen = staff_page("support"), f"/admin/payments/?who={amara.email}", []
    while url:
        shown = page.get(url)
        seen += [link.text.strip() for link in shown.all("#results a.reach")]
        older = shown.all("a[rel=next]")
        url = older[0]["href"] if older else None

    assert [words.split()[0] for words in seen] == amounts[::-1]


def test_a_deposit_shows_its_transaction_its_ids_and_what_came_after_it(
    finance, sandbox, paid, page, work_through
):
    intent = sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"]
    seen = len(sandbox.deliveries())
    sandbox.cards.disputes.open(intent, amount=2500)
    for event in sandbox.deliveries()[seen:]:
        pass_on(page, event)
    work_through()
    shown = finance.get(f"/admin/payments/{paid.id}")

    assert intent in shown.text
    assert paid.checkout_id in shown.text
    assert "fraudulent" in shown.text
    assert shown.all("a[href^='/admin/transactions/']")
    assert "75.00 USD" in shown.text  # can still be refunded
    assert "25.00" in finance.get("/admin/payments/disputes").text


def test_finance_refunds_in_part_and_the_customer_gets_it_back(
    finance, paid, amara, books, sandbox, work_through
):
    opened = finance.get(f"/admin/payments/{paid.id}/refund")
    assert opened.one("#amount")["value"] == "100.00"
    answer = finance.submit_form(opened, amount="40.00", reason="Case 17: paid twice")
    assert (answer.status, answer.location) == (303, f"/admin/payments/{paid.id}")
    again = finance.submit_form(opened, amount="40.00", reason="Case 17: paid twice")
    assert again.status == 303
    work_through()

    assert str(books.available(amara)) == "60.00 USD"
    shown = finance.get(f"/admin/payments/{paid.id}")
    assert "Given back" in shown.text
    assert "Case 17: paid twice" in shown.text
    assert "60.00 USD" in shown.text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"amount": "100.01", "reason": "Why not"},
            "At most 100.00 USD of this payment can still be refunded",
        ),
        ({"amount": "", "reason": "Why not"}, "Enter an amount like 12.50"),
        ({"amount": "10.00", "reason": ""}, "Say why"),
    ],
)
def test_a_refund_that_cannot_be_is_refused_in_the_form_and_keeps_what_was_typed(
    finance, paid, amara, books, fields, message
):
    answer = finance.submit(f"/admin/payments/{paid.id}/refund", **fields)

    assert answer.status == 422
    assert message in answer.text
    assert answer.one("#amount").get("value", "") == fields["amount"]
    assert str(books.available(amara)) == "100.00 USD"


def test_spent_money_is_offered_to_be_booked_as_a_debt(app, finance, paid, amara, books):
    from advancia import ledger
    from advancia.core.money import Money

    with app.app_context(), unit_of_work() as session:
        spend = ledger.Posting(ledger.available(amara.id), ledger.house("treasury"), Money.of("90.00", "USD"))
        ledger.post(session, reference=f"spend:{paid.id}", kind="test", postings=[spend])
    refused = finance.submit(f"/admin/payments/{paid.id}/refund", amount="50.00", reason="Case 18")
    assert refused.status == 422
    assert "Book the rest as their debt" in refused.text

    assert finance.submit_form(refused, allow_debt="y").status == 303
    assert str(books.available(amara)) == "0.00 USD"


def test_support_sees_and_does_not_refund(staff_page, paid):
    page = staff_page("support")

    assert not page.get(f"/admin/payments/{paid.id}").all("a[href$='/refund']")
    assert page.get(f"/admin/payments/{paid.id}/refund").status == 403


def test_what_cannot_be_refunded_says_why(finance, begun, amara):
    unpaid = begun(amara, "5.00")

    assert "Only a payment that has arrived" in finance.get(f"/admin/payments/{unpaid.id}/refund").text


def test_what_lies_in_suspense_is_shown_with_its_reason_and_credited_to_whose_it_is(
    app, finance, begun, amara, happen, books
):
    coins = begun(amara, "25.00", "USDT")
    happen(coins.url, "wrong-network", "confirm")
    listed = finance.get("/admin/payments/suspense?state=open")
    assert "It came over another network" in listed.text
    path = listed.all("#results a.reach")[0]["href"]
    opened = finance.get(path)
    assert opened.one("#who")["value"] == amara.email

    unknown = finance.submit_form(opened, who="nobody@nowhere.example", reason="It is theirs")
    assert unknown.status == 422
    assert "There is no such customer" in unknown.text
    assert finance.submit_form(unknown, who=amara.email, reason="It is theirs").status == 303
    assert str(books.available(amara, "USDT")) == "25.000000 USDT"
    shown = finance.get(path)
    assert "Credited" in shown.text
    assert not shown.all("form[action$='suspense']")


def test_the_inbox_shows_tries_and_body_and_admins_replay_and_park(
    app, staff_page, sandbox, begun, amara, page, work_through, books
):
    from advancia.providers.sandbox.faults import Fault

    deposit = begun(amara, "40.00")
    httpx.post(deposit.url, data={"outcome": "pay"}, trust_env=False)
    sandbox.fail_next(Fault.UNAVAILABLE)
    pass_on(page, next(each for each in sandbox.deliveries() if each.type.startswith("checkout")))
    work_through()
    admin = staff_page("admin")
    path = admin.get("/admin/webhooks/?kind=checkout.session.*").all("#results a.reach")[0]["href"]
    shown = admin.get(path)
    assert "Tries that came to nothing" in shown.text
    assert deposit.checkout_id in shown.one("pre").text
    assert "signed within five minutes" in shown.text
    assert admin.submit(path, form="form[action$='/replay']").status == 303
    work_through()

    assert books.entry_count(amara) == 1
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE webhook_event SET state = 'ignored' WHERE id = :id"), {"id": path.rsplit("/", 1)[1]}
        )
    assert admin.submit(path, form="form[action$='/parking']", reason="").status == 422
    assert admin.submit(path, form="form[action$='/parking']", reason="Looked odd").status == 303
    assert "Looked odd" in admin.get(path).text


def test_a_parked_event_with_nothing_left_to_do_is_settled_with_a_reason_once(app, staff_page, page):
    from tests.support.payments import event, knock, signature

    body = event("invoice.finalized", "in_2")
    knock(page, body, signature(body))
    with app.app_context(), unit_of_work() as session:
        event_id = session.scalar(
            text(
                "UPDATE webhook_event SET state = 'parked' "
                "WHERE id = (SELECT max(id) FROM webhook_event) RETURNING id"
            )
        )
    path, admin = f"/admin/webhooks/{event_id}", staff_page("admin")
    opened = admin.get(path)
    assert "until it is replayed or settled" in opened.text
    assert admin.submit_form(opened, "form[action$='/settlement']", reason="").status == 422
    assert admin.submit_form(opened, "form[action$='/settlement']", reason="Case 60: a test").status == 303
    late = admin.submit_form(opened, "form[action$='/settlement']", reason="Case 61: me too")

    assert (late.status, "not parked any more" in late.text, "Case 61" in late.text) == (422, True, True)
    shown = admin.get(path)
    assert "Settled by staff: Case 60: a test" in shown.text
    assert not shown.all("form[action$='/settlement']")
    assert not staff_page("finance").get(path).all("form[action$='/settlement']")


def test_finance_reads_the_inbox_and_does_not_replay(app, staff_page, page):
    from tests.support.payments import event, knock, signature

    body = event("invoice.finalized", "in_1")
    knock(page, body, signature(body))
    with app.app_context():
        event_id = db.session.scalar(text("SELECT max(id) FROM webhook_event"))
    finance = staff_page("finance")

    assert not finance.get(f"/admin/webhooks/{event_id}").all("form[action$='/replay']")
    assert finance.post(f"/admin/webhooks/{event_id}/replay").status == 403
    assert staff_page("support").get("/admin/webhooks/").status == 403


def test_jobs_and_mails_are_listed_and_what_gave_up_is_tried_again(app, staff_page, amara):
    from sqlalchemy import insert

    from advancia.core.outbox import OutboxRow

    with app.app_context(), unit_of_work() as session:
        session.execute(text("DELETE FROM outbox"))
        facts = {"template": "deposit_paid", "user_id": amara.id, "facts": {"amount": "40.00 USD"}}
        session.execute(
            insert(OutboxRow).values(
                kind="send_email",
                payload=facts,
                attempts=24,
                parked_at=text("now()"),
                last_error="Mail server away",
            )
        )
    admin = staff_page("admin")
    shown = admin.get("/admin/work/?state=parked&kind=send_email")

    assert "deposit_paid" in shown.text
    assert "Mail server away" in shown.text
    assert not staff_page("finance").get("/admin/work/?state=parked").all("form[action$='/again']")
    assert admin.submit_form(shown, form="form[action$='/again']").status == 303
    assert "Nothing fits" in admin.get("/admin/work/?state=parked").text
    with app.app_context():
        assert db.session.scalar(text("SELECT attempts FROM outbox WHERE kind = 'send_email'")) == 0


def test_a_deposit_that_was_rolled_back_is_not_said_to_be_refundable(staff_page, finance, paid, txn_id_of):
    admin, path = staff_page("admin"), f"/admin/transactions/{txn_id_of(f'deposit:{paid.id}')}/rollback"
    preview = admin.get(path)
    assert "stays charged at the provider" in preview.text
    assert "gets a mail" in preview.text
    assert "each of them" not in preview.text
    assert preview.one(f"main a[href='/admin/payments/{paid.id}']").text == "refund it instead"
    assert admin.submit_form(preview, reason="Case 70: booked twice").status == 303

    shown = finance.get(f"/admin/payments/{paid.id}")
    assert "nothing: it was rolled back" in shown.one("aside dl").text
    assert not shown.all("a[href$='/refund']")


@pytest.mark.parametrize(
    ("refunded", "standing", "words"),
    [
        ("0", "disputed", "Disputed"),
        ("40.00", "refunded_in_part", "Refunded in part"),
        ("100.00", "refunded", "Refunded"),
    ],
)
def test_the_list_says_what_came_after_a_payment_and_finds_it_by_that(
    finance, paid, amara, sandbox, page, work_through, refunded, standing, words
):
    of_amara = f"/admin/payments/?who={amara.email}"
    if refunded == "0":
        seen = len(sandbox.deliveries())
        sandbox.cards.disputes.open(sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"])
        for event in sandbox.deliveries()[seen:]:
            pass_on(page, event)
        work_through()
    else:
        finance.submit(f"/admin/payments/{paid.id}/refund", amount=refunded, reason="Case 72")

    found = finance.get(f"{of_amara}&state={standing}").one("#results tbody").text
    assert words in found
    assert "Sandbox card (simulated)" in found
    assert "No deposit fits" in finance.get(f"{of_amara}&state=paid").text
    assert words in finance.get(f"/admin/payments/{paid.id}").one("h1").text


def test_the_list_says_of_an_open_payment_who_it_waits_for(finance, begun, amara):
    begun(amara, "33.33", "USDT")

    found = finance.get(f"/admin/payments/?who={amara.email}&state=pending").one("#results tbody").text
    assert "Waiting for the payer" in found
    assert "sandbox_crypto" not in found


def test_a_replay_is_shown_while_it_is_under_way_and_keeps_what_became_of_it_before(
    staff_page, begun, amara, happen, work_through
):
    happen(begun(amara, "40.00").url, "pay")
    admin = staff_page("admin")
    path = admin.get("/admin/webhooks/?kind=checkout.session.*").all("#results a.reach")[0]["href"]
    before = admin.get(path).all("aside dd")[0].text
    assert "credited" in before
    assert admin.submit(path, form="form[action$='/replay']").status == 303

    shown = admin.get(path)
    assert "being gone through again" in shown.text
    assert "What became of it before" in shown.text
    assert shown.all("aside dd")[0].text == before
    assert "Asked for by" in shown.one("table").text
    assert not shown.all("form[action$='/parking']")
    tag = shown.one("#webhook-event")["hx-ptag"]
    asked = {"htmx_target": "div#webhook-event", "headers": {"HX-PTag": tag}}
    assert admin.get(path, **asked).status == 304
    work_through()
    done = admin.get(path, **asked)
    assert done.status == 200
    assert "The deposit had been credited before." in done.text
    assert "hx-ptag" not in done.one("#webhook-event").attrs


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("The deposit is so already.", "The deposit was at that already, so nothing has changed."),
        ("The deposit refund pending.", "A refund is on its way back."),
        (
            "The deposit was credited before; refund succeeded; refund succeeded.",
            "The deposit had been credited before. 2 refunds were given back.",
        ),
        (
            "The deposit waits for staff: It came over another network.",
            "The payment waits for staff. It came over another network.",
        ),
        ("dispute open: 80.00 USD withheld.", "Dispute open: 80.00 USD withheld."),
        ("No such checkout.session: cs_test_1", "No such checkout.session: cs_test_1."),
        (None, ""),
    ],
)
def test_what_became_of_an_event_is_told_in_sentences(outcome, words):
    from advancia.admin.inbox.words import plain

    assert plain(outcome) == words


def test_a_refund_on_its_way_says_so_and_the_page_looks_again_until_it_has_ended(finance, paid, work_through):
    opened = finance.get(f"/admin/payments/{paid.id}/refund")
    assert "Amara Okafor has 100.00 USD now." in opened.text
    finance.submit_form(opened, amount="40.00", reason="Case 73")

    shown = finance.get(f"/admin/payments/{paid.id}")
    assert "On its way to the provider" in shown.text
    asked = {
        "htmx_target": "div#deposit-page",
        "headers": {"HX-PTag": shown.one("#deposit-page")["hx-ptag"]},
    }
    assert finance.get(f"/admin/payments/{paid.id}", **asked).status == 304
    work_through()
    assert "On its way to the provider" not in finance.get(f"/admin/payments/{paid.id}", **asked).text


def test_the_refund_of_a_disputed_payment_is_refused_with_the_dispute(
    finance, paid, sandbox, page, work_through
):
    seen = len(sandbox.deliveries())
    sandbox.cards.disputes.open(sandbox.cards.checkouts.page(paid.checkout_id)["payment_intent"])
    for event in sandbox.deliveries()[seen:]:
        pass_on(page, event)
    work_through()

    refused = finance.get(f"/admin/payments/{paid.id}/refund")
    assert "bank disputes this payment" in refused.text
    assert refused.all(f"a[href='/admin/payments/{paid.id}#disputes']")
    assert "is left to refund" not in refused.text


def test_a_decision_about_suspense_says_to_whom_by_whom_and_why_and_its_reason_goes_along_to_sending_back(
    finance, begun, amara, happen
):
    happen(begun(amara, "25.00", "USDT").url, "wrong-network", "confirm")
    path = finance.get("/admin/payments/suspense?state=open").all("#results a.reach")[0]["href"]
    opened = finance.get(path)
    sending = finance.submit_form(opened, reason="Case 74: asked by mail", send_back="yes")
    assert sending.status == 200
    assert sending.one("#reason").text.strip() == "Case 74: asked by mail"
    assert sending.all(f"form[action='{path}/return']")
    assert not sending.all(".error-summary")
    assert finance.submit_form(opened, reason="Case 74: asked by mail").status == 303

    decided = " ".join(finance.get(path).one("dl").text.split())
    assert "Amara Okafor" in decided
    assert "Decided bySam Adeyemi" in decided
    assert "Case 74: asked by mail" in decided
