"""Choosing what to add and how: each asset with its own ways, limits, fees and arrival; and how it goes on."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from advancia.config import load_settings
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.providers import authorities
from advancia.providers.sandbox.faults import Fault
from advancia.web.security import checkout_origins
from tests.support.payments import pass_on


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def amara_page(page_of, amara):
    return page_of(amara)


@pytest.fixture
def act(sandbox, page, work):
    """Let something happen on the invoice's page, and let us hear of it."""

    def happen(url, *outcomes):
        for outcome in outcomes:
            seen = len(sandbox.deliveries())
            httpx.post(url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
            for event in sandbox.deliveries()[seen:]:
                pass_on(page, event)
        work()

    return happen


def newest(app, customer):
    with app.app_context():
        return db.session.execute(
            text("SELECT * FROM deposit WHERE user_id = :id ORDER BY created_at DESC LIMIT 1"),
            {"id": customer.id},
        ).one()


def begin(page, code, amount):
    answer = page.submit(f"/deposits/new?asset={code}", amount=amount)
    assert answer.status == 303, answer.text
    return answer.location


@pytest.mark.parametrize(
    ("code", "words", "limits", "arrival"),
    [
        ("USD", "US dollars", "From 1.00 USD to 10,000.00 USD", "within seconds"),
        ("BTC", "bitcoin", "From 0.00005000 BTC to 1.00000000 BTC", "10 to 60 minutes"),
        ("USDT", "tether", "From 5.000000 USDT to 50,000.000000 USDT", "2 to 5 minutes"),
    ],
)
def test_each_asset_has_its_own_ways_limits_fee_and_arrival(
    sandbox, amara_page, code, words, limits, arrival
):
    shown = amara_page.get(f"/deposits/new?asset={code}")

    assert f"Amount in {words}" in shown.text
    assert limits in shown.text
    assert arrival in shown.text
    assert "No fee" in shown.text
    assert len(shown.all("input[name=provider]")) == 1
    assert shown.one("a[aria-current=true]").text.strip().lower() == words.lower()


def test_an_asset_that_is_not_offered_shows_the_first_one(sandbox, amara_page):
    assert "Amount in US dollars" in amara_page.get("/deposits/new?asset=DOGE").text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"asset": "ADV"}, "This cannot be paid in"),
        ({"asset": "BTC", "amount": "0.00004999"}, "Enter an amount from 0.00005000 to 1.00000000 BTC"),
        ({"asset": "BTC", "amount": "0.000000001"}, "at most 8 digits after the point"),
        ({"asset": "BTC", "provider": "sandbox"}, "Not a valid choice"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_the_form(
    sandbox, amara_page, books, amara, changes, message
):
    amara_page.get("/deposits/new?asset=BTC")
    usual = {"asset": "BTC", "amount": "0.01", "provider": "sandbox_crypto", "request_id": "0" * 32}
    answer = amara_page.post("/deposits/new", {**usual, **changes}, htmx_target="form#deposit-form")

    assert answer.status == 422
    assert message in answer.text
    assert answer.one("#amount")["value"] == {**usual, **changes}["amount"]


def test_coins_are_followed_from_the_wish_to_the_wallet(app, sandbox, amara, amara_page, act, books):
    url = begin(amara_page, "BTC", "0.01")
    assert url.startswith(sandbox.url)
    deposit = newest(app, amara)
    own_page = f"/deposits/{deposit.id}"
    assert "Send the amount to the address" in amara_page.get(own_page).text
    act(url, "exact")
    seen = amara_page.get(own_page)
    assert "Your payment is on the network" in seen.text
    assert "On its way" in seen.text
    assert seen.one("[aria-current=step]").text.strip() == "Confirmed by the network"
    act(url, "confirm")

    paid = amara_page.get(own_page)
    assert "The money is in your wallet" in paid.text
    assert paid.one("[aria-current=step]").text.strip() == "In your wallet"
    assert "Bitcoin" in paid.text
    assert books.available(amara, "BTC") == Money.of("0.01", "BTC")
    assert "Sandbox crypto" in amara_page.get(f"/history/deposit:{deposit.id}").text


@pytest.mark.parametrize(
    ("outcomes", "words", "amount"),
    [
        (
            ["more", "confirm"],
            "You sent more than 0.01000000 BTC. What arrived is in your wallet: 0.01500000 BTC",
            "0.015",
        ),
        (["less", "confirm", "expire"], "You sent less than 0.01000000 BTC", "0.004"),
    ],
)
def test_more_or_less_is_credited_as_it_came_and_said_so(
    app, sandbox, amara, amara_page, act, books, outcomes, words, amount
):
    act(begin(amara_page, "BTC", "0.01"), *outcomes)

    assert words in amara_page.get(f"/deposits/{newest(app, amara).id}").text
    assert books.available(amara, "BTC") == Money.of(amount, "BTC")


@pytest.mark.parametrize(
    ("outcomes", "state", "words"),
    [
        (["less", "confirm"], "pending", "and 0.00600000 BTC is missing. Send the rest to the same address"),
        (["exact", "lock"], "locked", "held for a check of where the money comes from"),
        (["exact", "lock", "give-back"], "locked", "is sending the money back"),
        (["exact", "lock", "give-back", "given-back"], "returned", "was given back to where it came from"),
        (["expire"], "expired", "The payment page has closed"),
    ],
)
def test_every_state_is_told_in_plain_words(
    app, sandbox, amara, amara_page, act, books, outcomes, state, words
):
    act(begin(amara_page, "BTC", "0.01"), *outcomes)
    deposit = newest(app, amara)

    assert deposit.state == state
    assert words in amara_page.get(f"/deposits/{deposit.id}").text
    assert books.entry_count(amara) == 0


def test_after_a_failure_the_same_can_be_begun_anew(app, sandbox, amara, amara_page, act):
    act(begin(amara_page, "BTC", "0.01"), "expire")
    shown = amara_page.get(f"/deposits/{newest(app, amara).id}")
    again = amara_page.get(shown.one("a.button.primary")["href"])

    assert again.one("#amount")["value"] == "0.01000000"
    assert again.one("input[name=asset]")["value"] == "BTC"


def test_money_that_comes_after_the_page_has_closed_is_credited(app, sandbox, amara, amara_page, act, books):
    url = begin(amara_page, "BTC", "0.01")
    act(url, "expire")
    with sandbox._store.transaction():
        invoice = sandbox.invoices.of(newest(app, amara).checkout_id) | {"payment_amount": "0.01"}
        sandbox._store.keep(invoice)
    seen = len(sandbox.deliveries())
    sandbox.invoices.become(invoice["id"], "paid")
    for event in sandbox.deliveries()[seen:]:
        pass_on(amara_page, event)
    act(url)

    assert newest(app, amara).state == "paid"
    assert books.available(amara, "BTC") == Money.of("0.01", "BTC")


def test_coins_that_were_seen_are_waited_for_and_found_when_their_events_were_lost(
    app, sandbox, amara, amara_page, work, books
):
    from advancia.core import outbox
    from advancia.core.jobs import Job

    def time_passes():
        with app.app_context(), unit_of_work() as session:
            session.execute(
                text("UPDATE deposit SET expires_at = now() - interval '1 hour' WHERE user_id = :id"),
                {"id": amara.id},
            )
            outbox.put(session, Job.EXPIRE_DEPOSITS)
        work()

    url = begin(amara_page, "BTC", "0.01")
    httpx.post(url, data={"outcome": "exact"}, trust_env=False, verify=authorities.known())
    time_passes()
    assert newest(app, amara).state == "pending"
    httpx.post(url, data={"outcome": "confirm"}, trust_env=False, verify=authorities.known())
    time_passes()
    assert newest(app, amara).state == "paid"
    assert books.available(amara, "BTC") == Money.of("0.01", "BTC")


def test_an_invoice_whose_opening_was_never_answered_is_found_by_our_own_id_before_the_deposit_is_closed(
    app, sandbox, amara, amara_page, work, books
):
    from advancia.core import outbox
    from advancia.core.jobs import Job

    sandbox.fail_next(Fault.ERROR_AFTER)
    amara_page.submit("/deposits/new?asset=BTC", amount="0.01")
    deposit = newest(app, amara)
    assert (deposit.state, deposit.checkout_id) == ("created", None)
    invoice = sandbox.invoices.info({"order_id": str(deposit.id)})
    for outcome in ("exact", "confirm"):
        httpx.post(
            f"{sandbox.url}/pay/{invoice['uuid']}",
            data={"outcome": outcome},
            trust_env=False,
            verify=authorities.known(),
        )
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE deposit SET expires_at = now() - interval '1 hour' WHERE user_id = :id"),
            {"id": amara.id},
        )
        outbox.put(session, Job.EXPIRE_DEPOSITS)
    work()

    assert newest(app, amara).state == "paid"
    assert books.available(amara, "BTC") == Money.of("0.01", "BTC")


def test_a_time_out_after_the_provider_accepted_ends_in_one_invoice(app, sandbox, amara, amara_page):
    sandbox.fail_next(Fault.SILENT_AFTER)
    answer = amara_page.submit("/deposits/new?asset=BTC", amount="0.01")
    assert answer.location.startswith("/deposits/")
    again = amara_page.submit(answer.location, form="form[action$='/checkout']")

    assert again.location.startswith(sandbox.url)
    with sandbox._store.transaction():
        order = str(newest(app, amara).id)
        assert len(sandbox._store.objects("", "order_id", order, kind="invoice")) == 1


def test_a_provider_that_is_away_is_named_before_anybody_tries_and_what_was_begun_completes(
    app, sandbox, amara, amara_page, act, books
):
    url = begin(amara_page, "BTC", "0.01")
    gateway = app.extensions["crypto_gateway"]
    sandbox.fail_next(Fault.UNAVAILABLE, 5)
    for _ in range(5):
        amara_page.submit("/deposits/new?asset=BTC", amount="0.01")

    assert gateway.breaker.is_open
    assert "does not answer at the moment" in amara_page.get("/deposits/new?asset=BTC").text
    assert "does not answer" not in amara_page.get("/deposits/new?asset=USD").text
    act(url, "exact", "confirm")
    assert books.entry_count(amara) == 0
    gateway.breaker._open_until = 0.0  # its pause is over, and the provider is back
    with app.app_context(), unit_of_work() as session:
        session.execute(text("UPDATE outbox SET available_at = now() WHERE done_at IS NULL"))
    act(url)
    assert books.available(amara, "BTC") == Money.of("0.01", "BTC")


def test_forms_may_lead_to_the_payment_pages_of_the_providers_in_use_and_nowhere_else(environ):
    cryptomus = {
        "CRYPTOMUS_MERCHANT": "8b03432e-385b-4670-8d06-064591096795",
        "CRYPTOMUS_PAYMENT_KEY": "a-key",
    }
    stripe = {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"}

    assert checkout_origins(load_settings({**environ, **stripe, **cryptomus})) == (
        "https://checkout.stripe.com",
        "https://pay.cryptomus.com",
    )
    assert checkout_origins(load_settings({**environ, **cryptomus})) == (
        "https://pay.cryptomus.com",
        environ["SANDBOX_URL"],
    )
    assert checkout_origins(load_settings({**environ, **stripe})) == ("https://checkout.stripe.com",)
