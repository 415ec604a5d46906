"""What time does to deposits."""

from __future__ import annotations

from advancia.core.jobs import Job
from advancia.payments import services
from worker.tasks import Task, job


@job(Job.EXPIRE_DEPOSITS)
def expire_deposits(task: Task) -> None:
    """Close the deposits whose time has run out. Repeatable; a late payment still turns one `paid`."""
    with task.finish() as session:
        services.expire_unpaid(session)
