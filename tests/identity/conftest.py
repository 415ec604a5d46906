"""Browsers that people have signed in with, and the rows behind them."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from advancia.core.db import db, unit_of_work
from tests.support.pages import InProcess, Page, sign_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def browser_of(app):
    """A browser in which the customer has signed in: `browser_of(amara, "Mozilla/5.0 …", "203.0.113.9")`."""

    def signed_in(person, user_agent=FIREFOX, address=None):
        page = Page(InProcess(app))
        page.transport.client.environ_base["HTTP_USER_AGENT"] = user_agent
        if address:
            page.transport.client.environ_base["REMOTE_ADDR"] = address
        return sign_in(page, person)

    return signed_in


@pytest.fixture
def change(app):
    """Change rows as time or another hand would."""

    def run(statement, **values):
        with app.app_context(), unit_of_work() as session:
            session.execute(text(statement), values)

    return run


@pytest.fixture
def rows(app):
    def of(statement, **values):
        with app.app_context():
            return db.session.execute(text(statement), values).all()

    return of
