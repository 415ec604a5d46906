"""The canaries' way through the product, over the network: all of it, and what becomes of a way that is broken off."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import delete, func, select, text

from advancia import ledger
from advancia.core.canaries import are_canaries
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.identity.models import CountedTry, User, UserSession
from advancia.ops.launch.canary import KEEPER
from advancia.ops.launch.checks import loop, post
from advancia.ops.launch.look import Look
from advancia.ops.launch.models import CanaryLetter
from advancia.ops.launch.registry import State
from tests.support.people import give

pytestmark = pytest.mark.slow


@pytest.fixture
def look(product):
    with product.app.app_context():
        yield Look(app=product.app, url=product.url)
        db.session.rollback()


class Broken(httpx.HTTPTransport):
    """The network, in which the requests to these paths come to nothing after the first so many."""

    def __init__(self, path, *, after=0) -> None:
        super().__init__()
        self.path, self.left = path, after

    def handle_request(self, request):
        if request.method == "POST" and request.url.path == self.path:
            self.left -= 1
            if self.left < 0:
                raise httpx.ReadError("The line is dead.", request=request)
        return super().handle_request(request)


def left_behind():
    """What canaries have of money, of open sessions, of mail, and of counted tries and open accounts of newcomers."""
    session = db.session()
    canaries = session.scalars(select(User.id).where(are_canaries(User.email))).all()
    money = sum(ledger.balance(session, ledger.available(each), loop.SENT.asset).minor for each in canaries)
    counts = (
        select(func.count()).where(UserSession.user_id.in_(canaries), UserSession.ended_at.is_(None)),
        select(func.count()).select_from(CanaryLetter),
        select(func.count()).where(are_canaries(CountedTry.key)),
    )
    found = [money, *(session.scalar(each) for each in counts)]
    newcomers = are_canaries(User.email) & (User.email != KEEPER) & User.suspended_at.is_(None)
    found[-1] += session.scalar(select(func.count()).where(newcomers))
    session.rollback()
    return found


def test_a_customer_can_sign_up_pay_in_and_send_and_nothing_is_left(look):
    found = loop.canary_loop(look)

    assert (found.state, found.remedy) == (State.OK, ""), found.evidence
    for step in (
        "signed up",
        "paid in 10.00 USD",
        "sent 0.01 USD to another canary and back",
        "refunded there",
    ):
        assert step in found.evidence
    assert left_behind() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("path", "after", "done"),
    [
        ("/signup", 0, "nothing"),
        ("/verify-email", 0, "nothing"),
        ("/login", 0, "signed up"),
        ("/deposits/new", 0, "signed up"),
        ("/transfers", 0, "paid in"),
        ("/transfers", 1, "paid in"),  # what was sent is not sent back: it is rolled back
    ],
)
def test_a_way_that_is_broken_off_is_told_and_undone(look, path, after, done):
    look.transport = Broken(path, after=after)
    found = loop.canary_loop(look)

    assert (found.state, found.evidence.startswith("The line is dead")) == (State.BLOCKER, True)
    assert f"Done: {done}" in found.evidence or f", {done}" in found.evidence, found.evidence
    assert left_behind() == [0, 0, 0, 0]


class TestWithLiveKeys:
    """Nobody is charged for a check."""

    @pytest.fixture
    def look(self, look, monkeypatch):
        live = replace(look.app.extensions["settings"], sandbox_url=None)
        monkeypatch.setitem(look.app.extensions, "settings", live)
        yield look
        with unit_of_work() as session:
            session.execute(delete(loop.Deposit).where(loop.Deposit.provider == "stripe"))

    def test_without_money_and_payments_the_rest_is_told_as_unknown(self, look):
        found = loop.canary_loop(look)

        assert found.state is State.UNKNOWN
        assert "signed up with the code from the mail" in found.evidence
        assert "Not looked at: paying in" in found.evidence
        assert KEEPER in found.remedy
        assert left_behind() == [0, 0, 0, 0]

    def test_a_cent_and_a_real_payment_are_enough(self, look):
        keeper = loop.Canary.keeper(look).user_id
        give(look.app, keeper, Money.of("0.01", "USD"))
        with unit_of_work() as session:
            session.execute(text(PAID), {"user": keeper})
        found = loop.canary_loop(look)

        assert found.state is State.OK, found.evidence
        assert "sent 0.01 USD to another canary and back" in found.evidence
        assert "a real payment was credited on" in found.evidence
        assert left_behind() == [1, 0, 0, 0]


PAID = """
    insert into deposit (id, user_id, request_id, asset, amount, provider, state, credited, paid_at, expires_at)
    values (gen_random_uuid(), :user, gen_random_uuid(), 'USD', 100, 'stripe', 'paid', 100, now(), now())
"""


@pytest.mark.parametrize("ask", [post.card_webhooks, post.crypto_webhooks])
def test_a_providers_test_event_comes_back_signed(look, ask):
    found = ask(look)

    assert (found.state, "came in signed" in found.evidence) == (State.OK, True), found.evidence


def test_without_a_worker_the_code_does_not_come(product, look):
    product.kill("worker")
    look.patience = 1.0
    found = loop.canary_loop(look)

    assert (found.state, "No mail with a code" in found.evidence) == (State.BLOCKER, True), found.evidence
    product.start("worker")
