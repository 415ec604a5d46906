"""The canaries' way through the product, over the network: all of it, and what becomes of a way that is broken off."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from advancia import ledger
from advancia.core.canaries import are_canaries
from advancia.core.db import db
from advancia.identity.models import User, UserSession
from advancia.ops.launch.checks import loop
from advancia.ops.launch.look import Look
from advancia.ops.launch.models import CanaryLetter
from advancia.ops.launch.registry import State

pytestmark = pytest.mark.slow


@pytest.fixture
def look(product):
    with product.app.app_context():
        yield Look(app=product.app, url=product.url)
        db.session.rollback()


def left_behind():
    """What canaries have of money, of open sessions and of mail."""
    session = db.session()
    canaries = session.scalars(select(User.id).where(are_canaries(User.email))).all()
    money = sum(ledger.balance(session, ledger.available(each), loop.SENT.asset).minor for each in canaries)
    is_open = (UserSession.user_id.in_(canaries), UserSession.ended_at.is_(None))
    signed_in = session.scalar(select(func.count()).select_from(UserSession).where(*is_open))
    mails = session.scalar(select(func.count()).select_from(CanaryLetter))
    session.rollback()
    return money, signed_in, mails


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
    assert left_behind() == (0, 0, 0)
