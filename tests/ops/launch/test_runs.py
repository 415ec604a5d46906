"""Runs: one at a time, kept as far as they have come, and told by an exit code that scripts can go by."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, text, update

from advancia.core import outbox
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.ops.launch import queries, services
from advancia.ops.launch.cli import launch_check
from advancia.ops.launch.models import LaunchRun
from tests.support.launch import PUBLIC_URL
from tests.support.work import work_off

WARNING = "public-address"


@pytest.fixture
def command(well_set):
    """Run the command, which looks at another address than the one that is set."""
    runner = well_set.app.test_cli_runner()
    return lambda *typed: runner.invoke(launch_check, [*typed, "--url", "https://www.launched.net"])


@pytest.fixture(autouse=True)
def no_runs(well_set):
    yield
    with well_set.app.app_context(), unit_of_work() as session:
        session.execute(text("delete from launch_run"))
        session.execute(text("update outbox set done_at = now() where done_at is null"))


def newest(well_set):
    with well_set.app.app_context():
        return queries.runs(db.session())[0]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["migrations"], 0),
        (["migrations", WARNING], 3),
        (["migrations", WARNING, "sender", "mail"], 1),
    ],
)
def test_the_exit_code_tells_the_worst_that_was_found(command, well_set, names, code):
    told = command(*(f"--only={name}" for name in names))

    assert told.exit_code == code, told.output
    run = newest(well_set)
    assert (run.state, {line.name for line in run.lines}) == ("done", set(names))


def test_json_has_each_finding_with_its_evidence_and_remedy(command):
    told = json.loads(command("--json", "--only", WARNING).stdout)

    assert (told["verdict"], told["scores"]["warning"]) == ("warning", 1)
    [found] = told["checks"]
    assert found["name"] == WARNING
    assert found["evidence"] == f"Looked at https://www.launched.net, while PUBLIC_URL is {PUBLIC_URL}."
    assert found["remedy"]


def test_an_unknown_check_is_refused_with_the_names_that_there_are(command):
    told = command("--only", "luck")

    assert told.exit_code == 2
    assert "There is no check luck" in told.stderr
    assert "rate-limits" in told.stderr


def test_without_the_database_it_is_told_and_not_taken_for_a_blocker(well_set):
    nowhere = well_set.set_otherwise(DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    told = nowhere.app.test_cli_runner().invoke(launch_check, ["--only", "disk"])

    assert (told.exit_code, "The database does not answer" in told.stderr) == (2, True), told.output


def test_two_at_once_do_not_run(command, well_set):
    with services.alone(well_set.app.extensions["settings"]):
        told = command("--only", "migrations")

    assert (told.exit_code, "A launch check is running" in told.stderr) == (2, True)
    assert command("--only", "migrations").exit_code == 0


def test_a_run_whose_process_was_killed_is_closed_by_the_next_one(command, well_set):
    with well_set.app.app_context(), unit_of_work() as session:
        killed = services.open_run(session, url=PUBLIC_URL)

    assert command("--only", "migrations").exit_code == 0
    with well_set.app.app_context():
        assert queries.run(db.session(), killed).failure == services.LOST


def asked_for(well_set):
    with well_set.app.app_context(), unit_of_work() as session:
        run_id = services.open_run(session, url=PUBLIC_URL)
        outbox.put(session, Job.CHECK_LAUNCH, run_id=run_id)
    return run_id


def row_of(well_set):
    with well_set.app.app_context():
        return db.session.execute(
            select(OutboxRow.done_at, OutboxRow.outcome, OutboxRow.last_error)
            .where(OutboxRow.kind == "check_launch")
            .order_by(OutboxRow.id.desc())
            .limit(1)
        ).one()


def test_a_job_waits_while_a_command_runs(well_set):
    asked_for(well_set)
    with services.alone(well_set.app.extensions["settings"]):
        work_off(well_set.app)

    row = row_of(well_set)
    assert (row.done_at, "A launch check is running" in row.last_error) == (None, True)


def test_a_job_whose_run_was_closed_meanwhile_does_nothing(well_set):
    run_id = asked_for(well_set)
    with well_set.app.app_context(), unit_of_work() as session:
        services.fail(session, run_id, services.LOST)
    work_off(well_set.app)

    assert row_of(well_set).outcome == "That run was over already."


def test_a_job_whose_worker_died_is_not_begun_anew(well_set):
    run_id = asked_for(well_set)
    with well_set.app.app_context(), unit_of_work() as session:
        session.execute(update(LaunchRun).values(checks=37))
    work_off(well_set.app)

    with well_set.app.app_context():
        assert queries.run(db.session(), run_id).failure == services.LOST


def test_old_runs_are_forgotten(well_set):
    with well_set.app.app_context(), unit_of_work() as session:
        for _ in range(services.KEPT + 3):
            session.execute(update(LaunchRun).values(state="done", finished_at=text("now()")))
            services.open_run(session, url=PUBLIC_URL)
        assert len(session.scalars(select(LaunchRun.id)).all()) == services.KEPT
