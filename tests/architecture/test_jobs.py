"""Whatever the product asks for by name, there is."""

from __future__ import annotations

from advancia.core import recurring
from advancia.core.jobs import IN_BATCHES, Job
from worker import tasks


def test_every_job_name_resolves_to_a_function_and_every_function_has_a_name():
    assert set(tasks.functions()) == {job.value for job in Job}


def test_what_waits_for_batches_can_be_done_in_batches():
    tasks.functions()
    assert set(tasks._batch_functions) == {job.value for job in IN_BATCHES}


def test_every_job_takes_its_task_first():
    for name, function in tasks.functions().items():
        first = next(iter(function.__code__.co_varnames))
        assert first.removeprefix("_") == "task", name


def test_every_line_of_the_clock_is_a_time():
    from croniter import croniter

    assert recurring.TABLE
    assert all(croniter.is_valid(line.when) for line in recurring.TABLE)
