"""The staff pages in a real browser: keys, the way through a rollback with and without scripts, narrow screens."""

from __future__ import annotations

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.payments.models import Deposit, Refund
from advancia.wallet.transfers import services as transfers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh von und zu der Wiese Bilal"


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor", USD="100.00", ETH="12.345678901234567890")


@pytest.fixture
def txn(app, amara, customer):
    """Amara has sent 30 dollars to somebody with as long a name as there may be; the transaction's id."""
    actor = Actor(user_id=amara.id, role="customer", address=None, request_id=None)
    with app.app_context(), unit_of_work() as session:
        transfer_id = transfers.send(
            session,
            actor=actor,
            recipient=customer(LONG_NAME).email,
            amount=Money.of("30.00", "USD"),
            note="Rent",
            request_id=uuid4(),
        )
    with app.app_context():
        return ledger.transaction(db.session(), f"transfer:{transfer_id}").id


def test_the_keys_lead_through_the_pages(product, staff_tab, amara):
    page = staff_tab()
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/admin/customers/")

    page.keyboard.press("j")
    assert "reach" in page.evaluate("document.activeElement.className")
    page.keyboard.press("/")
    page.keyboard.type(amara.email)  # in a field, letters are letters
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/customers/{amara.id}")
    page.keyboard.press("?")
    page.wait_for_url("**/admin/keys")


def test_the_keys_can_be_switched_off(product, staff_tab):
    page = staff_tab()
    page.goto(product.url + "/admin/keys")
    page.check("#keys-off")
    page.goto(product.url + "/admin/")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.keyboard.press("?")

    assert page.url.endswith("/admin/")
    page.goto(product.url + "/admin/keys")
    assert page.is_checked("#keys-off")


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_rollback_is_done_once_also_by_a_double_click(app, product, staff_tab, amara, txn, javascript):
    page = staff_tab(javascript=javascript)
    page.goto(f"{product.url}/admin/transactions/{txn}")
    page.click("text=Roll back")
    page.fill("#reason", "Case 4711: sent to the wrong person")
    page.dblclick("main form[method=post] button.primary")
    page.wait_for_selector("text=Rolled back. The customers get a mail.")

    assert "Rolls back" in page.inner_text("main")
    with app.app_context():
        assert (
            str(ledger.balance(db.session(), ledger.available(amara.id), Money.of("1", "USD").asset))
            == "100.00 USD"
        )


def test_a_filter_is_applied_at_once_and_stands_in_the_address(product, staff_tab, txn, amara):
    page = staff_tab()
    page.goto(f"{product.url}/admin/transactions/?customer={amara.id}")
    page.select_option("#asset", "ETH")
    page.wait_for_url("**asset=ETH**")

    assert f"customer={amara.id}" in page.url
    # Not `wait_for_function`, which has the page evaluate a text, and the page refuses that.
    expect(page.locator("#results tbody tr")).to_have_count(1)
    page.go_back()
    expect(page.locator("#results tbody tr")).to_have_count(3)


def test_an_identifier_is_copied_and_that_is_said(product, staff_tab, amara):
    page = staff_tab()
    page.goto(f"{product.url}/admin/customers/{amara.id}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[aria-label='Copy the email']")
    page.wait_for_selector("[aria-label='Copy the email'][data-copied]")

    assert page.inner_text("#announcer") == "Copied"


@pytest.fixture
def coins(app, amara):
    """A deposit of 0.005 bitcoin that has been credited; its provider knows nothing of it."""
    amount, deposit_id = Money.of("0.005", "BTC"), uuid4()
    with app.app_context(), unit_of_work() as session:
        session.add(
            Deposit(
                id=deposit_id, user_id=amara.id, request_id=uuid4(), asset="BTC", amount=amount.minor,
                credited=amount.minor, provider="sandbox_crypto", state="paid", payment_id=f"inv-{deposit_id}",
                network="btc", paid_at=utcnow(), expires_at=utcnow(),
            )
        )  # fmt: skip
        session.flush()
        came = ledger.Posting(ledger.clearing("sandbox_crypto"), ledger.available(amara.id), amount)
        ledger.post(session, reference=f"deposit:{deposit_id}", kind="deposit", postings=[came])
    return deposit_id


@pytest.mark.parametrize(("javascript", "width"), [(True, 1280), (False, 360)])
def test_coins_are_given_back_once_however_often_the_button_is_pressed(
    app, product, staff_tab, coins, javascript, width
):
    page = staff_tab(javascript=javascript, width=width)
    page.goto(f"{product.url}/admin/payments/{coins}")
    page.click("text=Refund")
    page.fill("#address", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")
    page.fill("#reason", "Case 4712: sent by mistake")
    page.click("main form.form button.primary")
    page.wait_for_selector("text=The check digits do not fit")
    assert page.input_value("#reason") == "Case 4712: sent by mistake"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.fill("#address", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    page.dblclick("main form.form button.primary")
    page.wait_for_selector("text=It is on its way to the provider.")

    assert page.locator("table.ledger tbody tr").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.reload()
    with app.app_context():
        assert db.session.query(Refund).filter(Refund.deposit_id == coins).count() == 1


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_where_there_is_no_room_beside_the_page_the_rooms_are_behind_a_button(product, staff_tab, javascript):
    page = staff_tab(width=360, javascript=javascript)
    page.goto(f"{product.url}/admin/")
    rooms = page.get_by_role("navigation", name="Staff")
    assert not rooms.is_visible()

    page.get_by_role("button", name="Home").click()
    rooms.get_by_role("link", name="Transactions").click()

    page.wait_for_url("**/admin/transactions/")
    assert page.get_by_role("button", name="Transactions").is_visible()
    assert not rooms.is_visible()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_page_of_staff_scrolls_sideways(product, staff_tab, amara, txn, width):
    page = staff_tab(width=width)
    for path in (
        "", "customers/", f"customers/{amara.id}", f"customers/{amara.id}/suspension", "transactions/",
        f"transactions/{txn}", f"transactions/{txn}/rollback", "approvals/", "audit/", "staff/", "staff/new", "keys",
        "alarms", "health", "clock", "backups", "reconciliation/", "lockdown/", "launch",
        f"search?q={amara.handle[:5]}",
    ):  # fmt: skip
        page.goto(f"{product.url}/admin/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
