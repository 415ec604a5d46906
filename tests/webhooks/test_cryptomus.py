"""Where the crypto provider knocks: only what it signed, from where it sends, each once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text

from advancia.core.db import db
from advancia.core.money import Money
from advancia.providers import authorities
from tests.support.pages import InProcess, Page
from tests.support.payments import crypto_event, knock_crypto


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def paid(sandbox, begun, amara):
    """An invoice that its customer has paid, of which we have not heard yet."""
    deposit = begun(amara, "0.01", "BTC")
    for outcome in ("exact", "confirm"):
        httpx.post(deposit.url, data={"outcome": outcome}, trust_env=False, verify=authorities.known())
    return deposit


@pytest.fixture
def as_in_production(app, monkeypatch):
    """The real provider's name and addresses."""
    crypto = app.extensions["crypto_gateway"]
    monkeypatch.setattr(crypto, "name", "cryptomus")
    settings = replace(
        app.extensions["settings"],
        cryptomus_payment_keys=("the-new-key", "the-old-key"),
        cryptomus_allowed_addresses=("91.227.144.54",),
    )
    monkeypatch.setitem(app.extensions, "settings", settings)


def events_of(app, deposit):
    with app.app_context():
        return db.session.execute(
            text("SELECT * FROM webhook_event WHERE object_id = :id ORDER BY id"), {"id": deposit.checkout_id}
        ).all()


def test_the_same_webhook_fifty_times_ten_at_once_credits_once(app, paid, amara, work, books):
    body = crypto_event(paid.checkout_id, "paid", txid="t1")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: knock_crypto(Page(InProcess(app)), body), range(50)))
    work()

    assert {answer.status for answer in answers} == {200}
    assert [answer.html for answer in answers].count("stored") == 1
    assert books.available(amara, "BTC") == Money.of("0.01", "BTC")
    assert books.entry_count(amara) == 1


def test_an_old_event_that_is_sent_again_years_later_changes_nothing(app, page, paid, amara, work, books):
    body = crypto_event(paid.checkout_id, "paid", txid="t1")
    knock_crypto(page, body)
    work()
    assert knock_crypto(page, body).html == "known"
    work()

    assert books.entry_count(amara) == 1


def test_what_an_event_claims_is_not_what_is_credited(app, page, sandbox, begun, amara, work, books):
    unpaid = begun(amara, "0.01", "BTC")
    knock_crypto(page, crypto_event(unpaid.checkout_id, "paid", txid="t1", payment_amount="5.0"))
    work()

    assert books.entry_count(amara) == 0
    assert [row.outcome for row in events_of(app, unpaid)] == ["The deposit is still open."]


FORGERIES = {
    "signed with another key": lambda body, invoice: crypto_event(invoice, "paid", key="guessed"),
    "altered": lambda body, invoice: body.replace(b'"paid"', b'"paid_over"'),
    "unsigned": lambda body, invoice: b'{"uuid": "x", "status": "paid"}',
    "no JSON": lambda body, invoice: b"uuid=x",
    "signed, but no event": lambda body, invoice: crypto_event(invoice, "No Status!"),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_what_is_not_the_providers_is_refused_and_leaves_no_row(app, page, paid, amara, work, books, forge):
    answer = knock_crypto(page, forge(crypto_event(paid.checkout_id, "paid"), paid.checkout_id))
    work()

    assert answer.status == 400
    assert events_of(app, paid) == []
    assert books.entry_count(amara) == 0


def test_only_the_providers_own_address_is_listened_to(app, page, paid, as_in_production):
    body = crypto_event(paid.checkout_id, "paid", key="the-new-key")

    assert knock_crypto(page, body, address="127.0.0.1").status == 400
    assert knock_crypto(page, body, address="10.0.0.1").status == 400
    assert knock_crypto(page, body, address="91.227.144.54").status == 200


def test_while_keys_are_rotated_both_are_taken(app, page, paid, as_in_production):
    for number, key in enumerate(("the-new-key", "the-old-key")):
        body = crypto_event(paid.checkout_id, "paid", txid=f"t{number}", key=key)
        assert knock_crypto(page, body, address="91.227.144.54").html == "stored"


def test_how_it_was_verified_is_kept_and_no_secret_of_its_headers(app, page, paid):
    knock_crypto(page, crypto_event(paid.checkout_id, "paid"))

    [row] = events_of(app, paid)
    assert row.verification == "signed, from 127.0.0.1"
    assert set(row.headers) <= {"Content-Type", "User-Agent", "X-Request-ID"}


def test_a_kind_of_event_that_we_do_not_act_on_is_kept(app, page, paid, work):
    knock_crypto(page, crypto_event(paid.checkout_id, "paid", type="wallet"))
    work()

    [row] = events_of(app, paid)
    assert (row.kind, row.state) == ("wallet.paid", "ignored")


def test_a_state_that_we_do_not_know_is_parked_for_staff(app, page, sandbox, begun, amara, work, books):
    deposit = begun(amara, "0.01", "BTC")
    sandbox.invoices.become(deposit.checkout_id, "something_new")
    knock_crypto(page, crypto_event(deposit.checkout_id, "something_new"))
    work()

    [row] = events_of(app, deposit)
    assert row.state == "parked"
    assert "something_new" in row.outcome
    assert books.entry_count(amara) == 0
