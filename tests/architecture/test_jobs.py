"""Whatever the product asks for by name, there is."""

from __future__ import annotations

from advancia.core.jobs import Job
from worker import schedule, tasks


def test_every_job_name_resolves_to_a_function_and_every_function_has_a_name():
    assert set(tasks.functions()) == {job.value for job in Job}


def test_every_job_takes_its_task_first():
    for name, function in tasks.functions().items():
        first = next(iter(function.__code__.co_varnames))
        assert first.removeprefix("_") == "task", name


def test_every_line_of_the_clock_is_a_time():
    from croniter import croniter

    assert schedule.TABLE
    assert all(croniter.is_valid(line.when) for line in schedule.TABLE)
