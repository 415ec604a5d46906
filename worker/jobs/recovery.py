"""What is looked up and mailed for people who have lost a way in."""

from __future__ import annotations

from advancia.core.jobs import Job
from advancia.identity.recovery import factor_reset, password_reset
from worker.tasks import Task, job


@job(Job.OPEN_PASSWORD_RESET)
def open_password_reset(task: Task, email: str, address: str | None) -> None:
    """Open a password reset for whoever has that address, and have the link mailed; nothing if nobody has."""
    with task.finish() as session:
        password_reset.open_for(session, email=email, address=address)


@job(Job.ANNOUNCE_FACTOR_RESET)
def announce_factor_reset(task: Task, reset_id: int) -> None:
    """Mail the link that finishes the reset of a second factor, when its delay is over and nobody stopped it."""
    with task.finish() as session:
        factor_reset.announce(session, reset_id=reset_id)
