"""A posting takes the shortest way to the session's connection, and is part of its transaction all the same."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.config import sqlalchemy_url
from advancia.core.money import Money
from advancia.ledger import Posting, available, clearing
from advancia.ledger.driver import one_row


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def pay_in(session: Session, user_id: int, reference: str) -> None:
    ledger.post(
        session,
        reference=reference,
        kind="deposit",
        postings=[Posting(clearing("sandbox"), available(user_id), usd("5.00"))],
    )


def test_a_posting_is_undone_together_with_what_the_session_wrote(bank, new_user_id):
    user = new_user_id()
    with bank.session() as session:
        session.execute(text("create temp table note (word text) on commit preserve rows"))
        session.commit()
        session.execute(text("insert into note values ('before')"))
        pay_in(session, user, f"driver:{user}")
        session.execute(text("insert into note values ('after')"))
        assert ledger.balance(session, available(user), usd("0").asset) == usd("5.00")
        session.rollback()
        assert session.scalar(text("select count(*) from note")) == 0
        session.execute(text("drop table note"))
    assert bank.available(user, usd("0")) == usd("0")


def test_an_error_that_is_not_ours_is_sqlalchemys_and_tells_no_values(bank):
    with bank.session() as session, pytest.raises(ProgrammingError) as error:
        one_row(session, "select no_such_function(%s)", ("a secret",))
    assert error.value.orig is not None
    assert "a secret" not in str(error.value)


def test_a_connection_that_is_gone_is_told_as_such_and_not_given_out_again(settings, app_connection):
    engine = create_engine(sqlalchemy_url(settings.database_url), pool_size=1, max_overflow=0)
    with Session(engine) as session:
        pid = session.scalar(text("select pg_backend_pid()"))
        app_connection.execute("select pg_terminate_backend(%s)", (pid,))
        with pytest.raises(OperationalError) as error:
            pay_in(session, 1, "driver:gone")
        assert error.value.connection_invalidated
        assert isinstance(error.value, DBAPIError)
    with Session(engine) as session:
        assert session.scalar(text("select pg_backend_pid()")) != pid
    engine.dispose()
