"""A posting takes the shortest way to the session's connection, and is part of its transaction all the same."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from advancia import audit, ledger
from advancia.config import sqlalchemy_url
from advancia.core.context import Actor
from advancia.core.driver import one_row
from advancia.core.money import Money
from advancia.ledger import Posting, available, clearing


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
    actor = Actor(user_id=user, role="admin", address=None, request_id=None)
    with bank.session() as session:
        audit.record(session, actor, action="before", kind="user", id=user)
        pay_in(session, user, f"driver:{user}")
        audit.record(session, actor, action="after", kind="user", id=user)
        session.flush()
        assert ledger.balance(session, available(user), usd("0").asset) == usd("5.00")
        assert lines_by(session, user) == 2
        session.rollback()
        assert lines_by(session, user) == 0
    assert bank.available(user, usd("0")) == usd("0")


def lines_by(session: Session, user_id: int) -> int:
    return session.scalar(text("select count(*) from audit_record where actor_id = :id"), {"id": user_id})


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
