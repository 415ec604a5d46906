"""The audit trail: who did what to what, written together with the change, and never changed itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from advancia import audit
from advancia.core import context
from advancia.core.context import Actor
from advancia.ledger import horizon

ACTOR = Actor(user_id=41, role="finance", address="10.1.2.3", request_id="request-12345")


def test_a_line_tells_who_did_what_to_what_from_where_when_and_why(session):
    user = uuid4()
    number = audit.record(
        session,
        ACTOR,
        action="user.suspend",
        kind="user",
        id=user,
        before={"suspended": False},
        after={"suspended": True},
        reason="asked for by the police",
    )
    session.commit()

    (line,) = audit.records_of(session, kind="user", id=user, limit=10)
    assert line.id == number
    assert (line.actor_id, line.role, line.address, line.request_id) == (
        41,
        "finance",
        "10.1.2.3",
        "request-12345",
    )
    assert (line.action, line.object_kind, line.object_id) == ("user.suspend", "user", str(user))
    assert (line.before, line.after) == ({"suspended": False}, {"suspended": True})
    assert line.reason == "asked for by the police"
    assert abs(line.recorded_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_not_given_is_null_and_not_the_word_null(session):
    thing = uuid4()
    audit.record(session, ACTOR, action="test", kind="thing", id=thing)
    assert session.execute(
        text("select before is null, after is null, reason is null from audit_record where object_id = :id"),
        {"id": str(thing)},
    ).one() == (True, True, True)
    session.rollback()


def test_the_line_goes_with_the_change(session):
    thing = uuid4()
    audit.record(session, ACTOR, action="test", kind="thing", id=thing)
    session.rollback()
    assert audit.records_of(session, kind="thing", id=thing, limit=10) == []


def test_what_the_product_does_of_its_own_accord_has_no_person(session):
    thing = uuid4()
    with context.bound_request_id("request-of-a-job"):
        audit.record_of_system(
            session, action="deposit.expire", kind="deposit", id=thing, after={"state": "expired"}
        )
    (line,) = audit.records_of(session, kind="deposit", id=thing, limit=10)
    assert (line.actor_id, line.role, line.request_id) == (None, "system", "request-of-a-job")
    session.rollback()


def test_lines_are_read_page_by_page_newest_first(session):
    thing, actor = uuid4(), Actor(uuid4().int % 10**12, "admin", None, None)
    for turn in range(5):
        audit.record(session, actor, action=f"turn.{turn}", kind="thing", id=thing)
    first = audit.records_of(session, kind="thing", id=thing, limit=3)
    rest = audit.records_of(session, kind="thing", id=thing, limit=3, before=first[-1].id)
    assert [line.action for line in (*first, *rest)] == ["turn.4", "turn.3", "turn.2", "turn.1", "turn.0"]
    assert [line.id for line in audit.records_by(session, actor_id=actor.user_id, limit=2)] == [
        line.id for line in first[:2]
    ]
    session.rollback()


def test_a_line_that_is_not_committed_yet_holds_the_horizon_back(session):
    """It has a transaction id before it has a number, though it be the first that the transaction writes."""
    assert session.scalar(text("select pg_current_xact_id_if_assigned()")) is None
    number = audit.record(session, ACTOR, action="test", kind="thing", id=uuid4())
    with Session(session.get_bind()) as reader:
        with pytest.raises(horizon.HeldBack):
            horizon.settled(reader, patience=timedelta(milliseconds=200))
        session.commit()
        assert horizon.settled(reader).upto_audit >= number
