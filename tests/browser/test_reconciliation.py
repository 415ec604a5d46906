"""The pages of a reconciliation in a real browser, from a run to its sign-off by a second person."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.reconciliation.models import (
    ReconciliationDifference,
    ReconciliationFinding,
    ReconciliationRun,
)

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]

WITH_AND_WITHOUT_SCRIPTS = pytest.mark.parametrize(
    ("javascript", "width"), [(True, 1280), (False, 360)], ids=["scripts", "narrow, no scripts"]
)


@pytest.fixture
def run_id(app):
    """A run that has found one difference, of 12.00."""
    now, name = utcnow(), uuid4().hex
    with app.app_context(), unit_of_work() as session:
        run = ReconciliationRun(
            kind="nightly", state="differs", window_from=now - timedelta(days=1), window_upto=now, finished_at=now,
            summary={"checks": [], "open": 1},
        )  # fmt: skip
        session.add(run)
        session.flush()
        found = ReconciliationDifference(
            run_id=run.id, side="outside", check="payments", kind="missing_here", key=f"payments:{name}",
            words="The provider has a payment that our books do not have.", provider="sandbox",
            their_ref=f"pi_{name}", asset="USD", their_amount=Decimal(1200),
        )  # fmt: skip
        session.add(found)
        session.flush()
        session.add(ReconciliationFinding(run_id=run.id, difference_id=found.id))
        return run.id


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@WITH_AND_WITHOUT_SCRIPTS
def test_a_difference_is_resolved_and_its_run_signed_off_by_somebody_else(
    product, staff_tab, run_id, javascript, width
):
    first = staff_tab(javascript=javascript, width=width)
    first.goto(f"{product.url}/admin/reconciliation/")
    first.click(f"a[href='/admin/reconciliation/{run_id}']")
    assert fits(first)
    first.click("#results a.reach")
    assert "12.00" in first.inner_text("h1")
    assert fits(first)
    explanation = "form[action$='/explanation']"
    first.click(f"{explanation} button")
    assert "Say why" in first.inner_text(explanation)
    first.fill(f"{explanation} textarea", "A payment of our own test, case 12.")
    first.dblclick(f"{explanation} button")
    first.wait_for_selector("text=A payment of our own test, case 12.")
    assert first.locator(explanation).count() == 0
    first.reload()
    first.goto(f"{product.url}/admin/reconciliation/{run_id}")
    assert "You resolved a difference" in first.inner_text("main")
    assert first.locator("form[action$='/sign-off']").count() == 0

    second = staff_tab(javascript=javascript, width=width)
    second.goto(f"{product.url}/admin/reconciliation/{run_id}")
    second.click("form[action$='/sign-off'] button")
    second.wait_for_selector("h2:text-is('Signed off')")
    assert fits(second)
    first.reload()
    assert "By Olu Winters" in first.inner_text("main")
