"""A unit of work commits everything or nothing, and is never opened twice."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from advancia.core import outbox
from advancia.core.db import NestedUnitOfWork, db, in_unit_of_work, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow


def rows_about(marker: str) -> int:
    return len(
        db.session.execute(select(OutboxRow.id).where(OutboxRow.payload["marker"].astext == marker)).all()
    )


def test_what_was_done_in_it_is_there_afterwards(app_context):
    with unit_of_work() as session:
        outbox.put(session, Job.SWEEP, marker="kept", available_at=None)

    assert rows_about("kept") == 1


def test_an_error_undoes_all_of_it(app_context):
    with pytest.raises(RuntimeError, match="halfway"), unit_of_work() as session:
        outbox.put(session, Job.SWEEP, marker="undone")
        raise RuntimeError("halfway")

    assert rows_about("undone") == 0


def test_one_inside_another_is_refused(app_context):
    with unit_of_work(), pytest.raises(NestedUnitOfWork), unit_of_work():
        pytest.fail("The inner unit of work was opened.")


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
def test_a_deadlock_is_tried_again_and_anything_else_is_not(app_context, sqlstate):
    tries = []

    def unlucky_twice(session):
        tries.append(1)
        if len(tries) < 3:
            session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$"))
        return "done"

    assert in_unit_of_work(unlucky_twice) == "done"
    assert len(tries) == 3


def test_other_errors_are_raised_at_once(app_context):
    tries = []

    def broken(session):
        tries.append(1)
        session.execute(text("SELECT 1 / 0"))

    with pytest.raises(Exception, match="division by zero"):
        in_unit_of_work(broken)
    assert len(tries) == 1
