"""From the wish to pay in to the credit, as customer, provider and worker see it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.providers.sandbox.faults import Fault
from tests.support.payments import choose


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def amara_page(page_of, amara):
    return page_of(amara)


def begin(page, amount="100.00", **more):
    """Ask to pay in; return the address of the provider's page."""
    answer = page.submit("/deposits/new", amount=amount, **more)
    assert answer.status == 303, answer.text
    return answer.location


def deposit_of(app, customer):
    with app.app_context():
        return db.session.execute(
            text(
                "SELECT id, state, checkout_id FROM deposit WHERE user_id = :id ORDER BY created_at DESC LIMIT 1"
            ),
            {"id": customer.id},
        ).one()


def let_its_time_run_out(app, deposit):
    """Two hours pass, and the clock comes round."""
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE deposit SET expires_at = now() - interval '1 hour' WHERE id = :id"),
            {"id": deposit.id},
        )
        outbox.put(session, Job.EXPIRE_DEPOSITS)


def test_a_payment_is_credited_and_shown_with_its_receipt(app, sandbox, amara, amara_page, tell, work, books):
    choose(begin(amara_page), "pay")
    deposit = deposit_of(app, amara)
    assert deposit.state == "pending"

    assert tell("checkout.session.completed", deposit.checkout_id).status == 200
    work()

    assert str(books.available(amara)) == "100.00 USD"
    assert "Paid in" in amara_page.get(f"/deposits/{deposit.id}").text
    assert "+ 100.00" in amara_page.get("/history").text
    receipt = amara_page.get(f"/history/deposit:{deposit.id}")
    assert "Sandbox" in receipt.text
    assert "100.00" in receipt.text
    books.prove()


def test_the_form_leads_htmx_to_the_provider_by_a_header(sandbox, amara_page):
    amara_page.get("/deposits/new")
    answer = amara_page.post(
        "/deposits/new",
        {"asset": "USD", "amount": "5", "provider": "sandbox", "request_id": "0" * 32},
        htmx_target="form#deposit-form",
    )

    assert answer.status == 204
    assert answer.headers["HX-Redirect"].startswith(sandbox.url)


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("", "Enter an amount like 12.50"),
        ("1.005", "Enter an amount like 12.50"),
        ("0.99", "Enter an amount from 1.00 to 10,000.00 USD"),
        ("10000.01", "Enter an amount from 1.00 to 10,000.00 USD"),
        ("-5", "Enter an amount like 12.50"),
    ],
)
def test_a_bad_amount_is_refused_in_the_form_and_kept(sandbox, amara, amara_page, books, amount, message):
    amara_page.get("/deposits/new")
    answer = amara_page.post(
        "/deposits/new",
        {"asset": "USD", "amount": amount, "provider": "sandbox", "request_id": "0" * 32},
        htmx_target="form#deposit-form",
    )

    assert answer.status == 422
    assert message in answer.text
    assert answer.one("#amount")["aria-describedby"].split()[-1] == "amount-error"
    assert answer.one("#amount").get("value", "") == amount
    assert books.entry_count(amara) == 0


def test_a_double_click_is_one_deposit_with_one_checkout(app, sandbox, amara, amara_page):
    opened = amara_page.get("/deposits/new")
    first = amara_page.submit_form(opened, amount="20.00")
    second = amara_page.submit_form(opened, amount="20.00")

    assert first.location == second.location
    with app.app_context():
        assert (
            db.session.scalar(text("SELECT count(*) FROM deposit WHERE user_id = :id"), {"id": amara.id}) == 1
        )


def test_the_same_form_with_another_amount_never_leads_to_the_first_amounts_page(
    app, sandbox, amara, amara_page
):
    opened = amara_page.get("/deposits/new")
    first = amara_page.submit_form(opened, amount="20.00")
    refused = amara_page.submit_form(opened, amount="200.00")

    assert refused.status == 422
    assert "This form has been sent before" in refused.text
    assert refused.one("#amount")["value"] == "200.00"
    second = amara_page.submit_form(refused)
    assert second.location.startswith(sandbox.url)
    assert second.location != first.location


def test_a_declined_card_charges_nothing_and_can_be_tried_again(
    app, sandbox, amara, amara_page, tell, work, books
):
    checkout_url = begin(amara_page)
    choose(checkout_url, "decline")
    deposit = deposit_of(app, amara)
    payment = app.extensions["gateway"].retrieve_checkout(deposit.checkout_id).payment_intent
    tell("payment_intent.payment_failed", payment)
    work()

    shown = amara_page.get(f"/deposits/{deposit.id}")
    assert "declined" in shown.text
    assert "Nothing was charged" in shown.text
    assert books.entry_count(amara) == 0

    choose(checkout_url, "pay")
    tell("checkout.session.completed", deposit.checkout_id)
    work()
    assert str(books.available(amara)) == "100.00 USD"


def test_a_cancelled_payment_can_be_taken_up_again(app, sandbox, amara, amara_page):
    checkout_url = begin(amara_page)
    choose(checkout_url, "cancel")
    deposit = deposit_of(app, amara)

    answer = amara_page.submit(
        f"/deposits/{deposit.id}", form=f"form[action$='/deposits/{deposit.id}/checkout']"
    )
    assert answer.status == 303
    assert answer.location == checkout_url


def test_the_wallet_shows_what_is_on_its_way_and_notices_when_it_no_longer_is(
    app, sandbox, amara, amara_page
):
    from advancia.core.db import unit_of_work

    begin(amara_page)
    opened = amara_page.get("/wallet")
    assert opened.all("a[href^='/deposits/']:not([href$='/new'])")

    with app.app_context(), unit_of_work() as session:
        session.execute(text("UPDATE deposit SET state = 'expired' WHERE user_id = :id"), {"id": amara.id})
    poll = {"htmx_target": "div#live", "headers": {"HX-PTag": opened.headers["HX-PTag"]}}
    later = amara_page.get("/wallet", **poll)
    assert later.status == 200
    assert not later.all("a[href^='/deposits/']:not([href$='/new'])")


def test_a_provider_that_is_down_is_named_and_the_deposit_waits(app, sandbox, amara, amara_page):
    sandbox.fail_next(Fault.UNAVAILABLE)
    answer = amara_page.submit("/deposits/new", amount="100.00")
    deposit = deposit_of(app, amara)

    assert answer.location == f"/deposits/{deposit.id}"
    assert deposit.state == "created"
    assert "Nothing was charged. Try again" in amara_page.follow(answer).text
    again = amara_page.submit(f"/deposits/{deposit.id}", form="form[action$='/checkout']")
    assert again.location.startswith(sandbox.url)


def test_a_time_out_after_the_provider_accepted_ends_in_one_checkout(app, sandbox, amara, amara_page):
    sandbox.fail_next(Fault.SILENT_AFTER)
    answer = amara_page.submit("/deposits/new", amount="100.00")
    assert answer.location.startswith("/deposits/")
    again = amara_page.submit(answer.location, form="form[action$='/checkout']")

    assert again.location.startswith(sandbox.url)
    assert sandbox.checkout_count() == 1


def test_an_unpaid_deposit_expires_and_a_late_payment_is_still_credited(
    app, sandbox, amara, amara_page, tell, work, books
):
    checkout_url = begin(amara_page)
    deposit = deposit_of(app, amara)
    let_its_time_run_out(app, deposit)
    work()
    assert deposit_of(app, amara).state == "expired"
    assert "Nothing was charged" in amara_page.get(f"/deposits/{deposit.id}").text

    choose(checkout_url, "pay")
    tell("checkout.session.completed", deposit.checkout_id)
    work()
    assert deposit_of(app, amara).state == "paid"
    assert str(books.available(amara)) == "100.00 USD"


def test_a_payment_whose_events_were_all_lost_is_credited_when_its_time_is_over(
    app, sandbox, amara, amara_page, work, books
):
    choose(begin(amara_page), "pay")
    let_its_time_run_out(app, deposit_of(app, amara))
    work()

    assert deposit_of(app, amara).state == "paid"
    assert str(books.available(amara)) == "100.00 USD"


def test_a_deposit_is_not_called_unpaid_while_its_provider_does_not_answer(
    app, sandbox, amara, amara_page, work
):
    begin(amara_page)
    deposit = deposit_of(app, amara)
    sandbox.fail_next(Fault.UNAVAILABLE)
    let_its_time_run_out(app, deposit)
    work()
    assert deposit_of(app, amara).state == "pending"

    let_its_time_run_out(app, deposit)
    work()
    assert deposit_of(app, amara).state == "expired"


def test_a_payment_that_is_under_way_is_waited_for_however_long(
    app, sandbox, amara, amara_page, tell, work, books
):
    choose(begin(amara_page), "later")
    deposit = deposit_of(app, amara)
    tell("checkout.session.completed", deposit.checkout_id)
    work()
    let_its_time_run_out(app, deposit)
    work()

    assert deposit_of(app, amara).state == "pending"
    shown = amara_page.get(f"/deposits/{deposit.id}")
    assert "Your payment is on its way" in shown.text
    assert "Nothing was charged" not in shown.text
    assert not shown.all("form[action$='/checkout']")
    assert amara_page.post(f"/deposits/{deposit.id}/checkout").location == f"/deposits/{deposit.id}"


def test_a_deposit_that_never_got_a_checkout_is_closed_without_asking(app, sandbox, amara, amara_page, work):
    sandbox.fail_next(Fault.UNAVAILABLE)
    amara_page.submit("/deposits/new", amount="100.00")
    let_its_time_run_out(app, deposit_of(app, amara))
    work()

    assert deposit_of(app, amara).state == "expired"


def test_a_deposit_is_nobody_elses_to_see(app, sandbox, amara, amara_page, customer, page_of):
    begin(amara_page)
    deposit = deposit_of(app, amara)
    stranger = page_of(customer("Bilal Haddad"))

    assert stranger.get(f"/deposits/{deposit.id}").status == 404
    stranger.get("/deposits/new")
    assert stranger.post(f"/deposits/{deposit.id}/checkout").status == 404


def test_the_state_page_answers_304_until_something_changes(app, sandbox, amara, amara_page, tell, work):
    choose(begin(amara_page), "pay")
    deposit = deposit_of(app, amara)
    path = f"/deposits/{deposit.id}"
    tag = amara_page.get(path).headers["HX-PTag"]

    assert amara_page.get(path, htmx_target="section#deposit-state", headers={"HX-PTag": tag}).status == 304
    tell("checkout.session.completed", deposit.checkout_id)
    work()
    changed = amara_page.get(path, htmx_target="section#deposit-state", headers={"HX-PTag": tag})
    assert changed.status == 200
    assert "Paid in" in changed.text
    assert "<html" not in changed.html
